//! "Did you mean": the nearest of the words that would have been right.

use crate::decode::{Decoder, Node};
use crate::diagnostic::Diagnostic;

/// The candidate that `word` was most likely meant to be.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word: String = word.chars().take(64).collect::<String>().to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        // A third of the letters may differ, and one in the shortest words.
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or the whole list, introduced by `these_are`.
pub(crate) fn one_of<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    these_are: &str,
) -> String {
    let mut candidates: Vec<_> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    candidates.sort_unstable();
    format!("{these_are} `{}`", candidates.join("`, `"))
}

/// Refuses a word that is none of a choice; `refused` are words that are
/// known of but not carried out.
pub(crate) fn refuse_word<T>(
    node: &Node<'_>,
    decoder: &mut Decoder<'_>,
    word: &str,
    words: &[&str],
    refused: &[(&str, &str)],
) -> Option<T> {
    let span = decoder.span(node);
    let all = format!("write \"{}\"", words.join("\" or \""));
    let fault = match refused.iter().find(|(known, _)| *known == word) {
        Some((_, why)) => Diagnostic::error(span, format!("`{word}`: {why}")).help(all),
        None => Diagnostic::error(span, format!("unknown word `{word}`")).help(
            match nearest(word, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => all,
            },
        ),
    };
    decoder.refuse(fault)
}
