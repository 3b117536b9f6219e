//! Repeats a finding, and prepares the longer run.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a tool for the terminal"
)]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use janua_fuzz::{ALL, Target, seeds};

const USAGE: &str = "\
janua-fuzz list                       the names of the targets
janua-fuzz prepare TARGET FOLDER      write its seeds to FOLDER/seeds, its words to FOLDER/words
janua-fuzz replay TARGET FILE...      run it with these inputs";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["list"] => ALL.iter().for_each(|target| println!("{}", target.name)),
        ["prepare", name, folder] if let Some(target) = Target::named(name) => {
            prepare(&target, Path::new(folder)).expect("the folder can be written");
        }
        ["replay", name, ref files @ ..] if let Some(target) = Target::named(name) => {
            for file in files {
                let input = fs::read(file).expect("the file can be read");
                println!("{file}: \"{}\"", input.escape_ascii());
                (target.run)(&input);
                println!("all properties hold");
            }
        }
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Writes what libFuzzer reads: the seeds as files, and the words as a dictionary.
fn prepare(target: &Target, folder: &Path) -> std::io::Result<()> {
    let place = folder.join("seeds");
    fs::create_dir_all(&place)?;
    for (number, seed) in seeds(target).iter().enumerate() {
        fs::write(place.join(number.to_string()), &seed.bytes)?;
    }
    let word = |word: &&str| {
        let bytes = word.bytes().map(|byte| format!("\\x{byte:02x}"));
        format!("\"{}\"\n", bytes.collect::<String>())
    };
    let words: String = target.words.iter().map(word).collect();
    fs::write(folder.join("words"), words)
}
