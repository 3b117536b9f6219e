use super::*;

fn word(text: &str) -> Permission {
    Permission::parse(text).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn words_are_read_and_written_alike() {
    for text in [
        "input:header:authorization",
        "input:cookie:session",
        "input:query",
        "input:query-parameter:token",
        "input:raw-path",
        "input:body",
        "input:response-body",
        "input:response-header:set-cookie",
        "input:variable:jwt.sub",
        "edit:header:x-user",
        "edit:header:x-auth-*",
        "edit:header:*",
        "edit:response-header:set-cookie",
        "edit:set-path",
        "edit:set-query",
        "edit:set-status",
        "respond",
        "serve",
        "effect:take",
        "effect:ban",
        "secret:hook",
        "dataset:countries",
        "outbound:auth",
        "upstream:v2",
        "key-value",
    ] {
        assert_eq!(word(text).to_string(), text);
    }
    assert_eq!(word("edit:header:X-User"), word("edit:header:x-user"));
}

#[test]
fn other_words_do_not_exist() {
    for text in [
        "",
        "take",
        "respond:",
        "respond:now",
        "serve:x",
        "key-value:x",
        "effect:tak",
        "effect:",
        "effect:take:x",
        "edit:header:",
        "edit:header:a b",
        "edit:header:a*b",
        "edit:path",
        "edit:set-path:x",
        "input:header",
        "input:header:",
        "input:method",
        "input:query:x",
        "input:cookie:",
        "secret:",
        "header:authorization",
    ] {
        assert_eq!(Permission::parse(text), None, "{text}");
    }
}

#[test]
fn a_wider_permission_covers_a_narrower_one() {
    for (granted, wanted, covers) in [
        ("edit:header:x-user", "edit:header:x-user", true),
        ("edit:header:x-user", "edit:header:x-user-id", false),
        ("edit:header:x-*", "edit:header:x-user", true),
        ("edit:header:x-*", "edit:header:x-auth-*", true),
        ("edit:header:x-auth-*", "edit:header:x-*", false),
        ("edit:header:x-user", "edit:header:x-user*", false),
        ("edit:header:*", "edit:header:host", true),
        ("edit:header:*", "edit:response-header:host", false),
        ("input:header:cookie", "input:cookie:a", true),
        ("input:cookie:a", "input:header:cookie", false),
        ("input:cookie:a", "input:cookie:b", false),
        ("input:query", "input:query-parameter:a", true),
        ("input:query-parameter:a", "input:query", false),
        ("effect:take", "effect:take", true),
        ("effect:take", "effect:cache-tag", false),
        ("secret:a", "secret:b", false),
    ] {
        assert_eq!(
            word(granted).covers(&word(wanted)),
            covers,
            "{granted} for {wanted}"
        );
    }
}

#[test]
fn a_pattern_matches_lines_in_any_case() {
    let exact = FieldPattern::parse("x-user").unwrap();
    let prefix = FieldPattern::parse("X-Auth-*").unwrap();
    for (pattern, name, matches) in [
        (&exact, "X-User", true),
        (&exact, "x-user-id", false),
        (&exact, "x-use", false),
        (&prefix, "X-AUTH-Email", true),
        (&prefix, "x-auth-", true),
        (&prefix, "x-auth", false),
    ] {
        assert_eq!(pattern.matches_line(name.as_bytes()), matches, "{name}");
        let lower = name.to_ascii_lowercase();
        assert_eq!(pattern.matches(&lower), matches, "{name}");
    }
}
