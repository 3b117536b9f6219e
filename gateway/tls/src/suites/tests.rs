use super::*;

/// The IANA names of the suites of TLS 1.2, shortened, and the notes.
fn selected(list: &[&str]) -> (Vec<String>, Vec<Note>) {
    let suites = select(list).unwrap();
    let (tls13, tls12): (Vec<_>, Vec<_>) = suites
        .suites
        .iter()
        .partition(|suite| suite.tls13().is_some());
    assert_eq!(tls13.len(), 3);
    let short = |suite: &SupportedCipherSuite| {
        let name = iana_name(suite.suite()).unwrap();
        name.replace("TLS_ECDHE_", "").replace("_WITH_", " ")
    };
    (tls12.iter().map(short).collect(), suites.notes)
}

#[test]
fn names_of_both_kinds_select_in_order() {
    let both = [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ];
    let expected = ["RSA AES_128_GCM_SHA256", "ECDSA CHACHA20_POLY1305_SHA256"];
    assert_eq!(selected(&both), (expected.map(Into::into).into(), vec![]));
    let joined = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305";
    assert_eq!(
        selected(&[joined]),
        (expected.map(Into::into).into(), vec![])
    );
}

#[test]
fn a_list_restricts_only_the_version_that_it_names() {
    for name in ["TLS13_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"] {
        let suites = select(&[name]).unwrap();
        assert_eq!(suites.suites.len(), 1 + TLS12.len());
        assert_eq!(
            suites.suites[0].suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
        );
        assert_eq!(suites.notes, []);
    }
    assert_eq!(select::<&str>(&[]).unwrap().suites.len(), 9);
}

#[test]
fn cipher_strings_of_openssl_are_understood() {
    let all: &[&str] = &[];
    let cases: [(&str, usize, &[&str]); 8] = [
        ("HIGH:!aNULL:!MD5", 6, all),
        ("ALL:!EXPORT:!LOW:!aNULL:@STRENGTH", 6, all),
        ("DEFAULT@SECLEVEL=2", 6, all),
        (
            "EECDH+CHACHA20",
            2,
            &[
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ],
        ),
        (
            "ECDHE+AES128+aRSA:DHE+AES128",
            1,
            &["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
        ),
        (
            "HIGH:!ECDSA:!AES256:+AES128",
            2,
            &[
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            ],
        ),
        (
            "!AES:ALL",
            2,
            &[
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ],
        ),
        ("kEECDH:kECDHe:-ECDHE-RSA-AES128-GCM-SHA256", 5, &["…"]),
    ];
    for (text, count, only) in cases {
        let (names, notes) = selected(&[text]);
        assert_eq!(names.len(), count, "{text}: {names:?}");
        let [
            Note::CipherString {
                text: said,
                only: named,
            },
        ] = notes.as_slice()
        else {
            panic!("{text}: {notes:?}");
        };
        assert_eq!(said, text);
        if only != ["…"] {
            assert_eq!(named, only, "{text}");
        }
    }
}

#[test]
fn names_without_what_is_not_there_anyway_need_no_words() {
    let list = "ECDHE-RSA-AES128-GCM-SHA256:!aNULL:!MD5:!DSS";
    let expected = vec!["RSA AES_128_GCM_SHA256".to_owned()];
    assert_eq!(selected(&[list]), (expected, vec![]));
    let (names, notes) = selected(&["!aNULL:!RC4"]);
    assert_eq!((names.len(), notes), (6, vec![]));
}

#[test]
fn suites_without_a_counterpart_are_left_out_with_the_reason() {
    let cases = [
        ("AES256-SHA", Missing::RsaKeyExchange),
        ("AES128-GCM-SHA256", Missing::RsaKeyExchange),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", Missing::RsaKeyExchange),
        ("DHE-RSA-AES256-GCM-SHA384", Missing::FiniteField),
        ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", Missing::FiniteField),
        ("ECDHE-RSA-AES256-SHA384", Missing::Cbc),
        ("ECDHE-ECDSA-AES128-SHA", Missing::Cbc),
        ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", Missing::Cbc),
        ("DES-CBC3-SHA", Missing::Des),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", Missing::Des),
        ("RC4-SHA", Missing::Rc4),
        ("ECDHE-RSA-RC4-SHA", Missing::Rc4),
        ("ECDH-RSA-AES128-SHA", Missing::FixedDiffieHellman),
        ("ADH-AES256-SHA", Missing::Anonymous),
        ("TLS_DH_anon_WITH_AES_128_CBC_SHA", Missing::Anonymous),
        ("NULL-SHA256", Missing::Null),
        ("EXP-DES-CBC-SHA", Missing::Export),
        ("CAMELLIA256-SHA", Missing::Uncommon),
        ("PSK-AES128-CBC-SHA", Missing::SharedSecret),
        ("ECDHE-ECDSA-AES128-CCM", Missing::Ccm),
    ];
    for (name, why) in cases {
        let (names, notes) = selected(&[name, "ECDHE-RSA-AES128-GCM-SHA256"]);
        assert_eq!(names, ["RSA AES_128_GCM_SHA256"], "{name}");
        let name = name.to_owned();
        assert_eq!(notes, [Note::LeftOut { name, why }]);
    }
}

#[test]
fn a_list_of_which_nothing_is_left_means_all() {
    let (names, notes) = selected(&["AES256-SHA"]);
    assert_eq!(names.len(), 6);
    assert_eq!(notes.len(), 2);
    assert_eq!(
        notes[0].to_string(),
        "The suite `AES256-SHA` is left out: its key exchange encrypts with the RSA key of the \
         certificate, without forward secrecy; clients that have nothing else cannot connect."
    );
    assert_eq!(notes[1], Note::NoneLeft);
}

#[test]
fn a_typo_is_an_error() {
    let error = select(&["HIHG:!aNULL"]).unwrap_err().to_string();
    assert!(
        error.starts_with("`HIHG` is not the name of a cipher suite."),
        "{error}"
    );
}

#[test]
fn cipher_strings_are_explained() {
    let (_, notes) = selected(&["HIGH:!aNULL:!MD5"]);
    assert_eq!(
        notes[0].to_string(),
        "`HIGH:!aNULL:!MD5` is a cipher string of OpenSSL. Here it means every suite that there \
         is, because all of them have authenticated encryption and forward secrecy."
    );
}
