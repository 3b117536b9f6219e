use super::*;

/// The names of the variant `input`, read from the contract itself.
fn names_in_contract() -> Vec<&'static str> {
    let contract = include_str!("../../../../wit/subscriptions.wit");
    let (_, variant) = contract.split_once("variant input {").unwrap();
    let (cases, _) = variant.split_once("\n    }").unwrap();
    let lines = cases.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("///"))
        .map(|line| line.split(['(', ',']).next().unwrap())
        // It stands for the inputs of later versions.
        .filter(|name| *name != "named")
        .collect()
}

#[test]
fn the_rows_are_the_cases_of_the_contract() {
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(names, names_in_contract());
}

#[test]
fn inputs_are_spelt_as_in_the_contract() {
    for (input, text) in [
        (Input::Path, "path"),
        (Input::Header("x-api-key".into()), "header(x-api-key)"),
        (Input::Cookie("session".into()), "cookie(session)"),
        (Input::BodyText(4096), "body-text(4096)"),
        (
            Input::ClientNetwork(PrefixLengths { ipv4: 24, ipv6: 48 }),
            "client-network(24, 48)",
        ),
        (
            Input::Lookup(Box::new(Lookup {
                dataset: "geo".into(),
                key: Input::ClientIp,
                member: "country.iso_code".into(),
            })),
            "lookup(geo, client-ip, country.iso_code)",
        ),
    ] {
        assert_eq!(input.to_string(), text);
    }
}

#[test]
fn inputs_that_are_not_in_the_cache_key_can_differ() {
    for (input, is_outside) in [
        (Input::Method, false),
        (Input::OriginalPath, false),
        (Input::Extension, false),
        (Input::Status, false),
        (Input::ResponseHeader("vary".into()), false),
        // A cache rule may exclude parts of the query from the key, and several raw paths
        // normalise to one path.
        (Input::Query, true),
        (Input::RawPath, true),
        (Input::Header("accept".into()), true),
        (Input::ClientIp, true),
        (Input::AnsweredBy, true),
    ] {
        assert_eq!(input.is_outside_cache_key(), is_outside, "{input}");
    }
}
