use serde_json::{Value, json};

use super::{Endpoint, Inspected, LabelPrefix, Unfit};

fn prefix() -> LabelPrefix {
    LabelPrefix::parse("janua").unwrap()
}

/// A container as the Engine shows it, with fields that are not needed too.
fn container(labels: Value) -> Value {
    json!({
        "Id": "0123456789abcdef",
        "Name": "/shop-app-1",
        "Path": "node",
        "State": { "Status": "running", "Running": true, "Paused": false, "Pid": 7,
                   "Health": { "Status": "healthy", "Log": [{ "Output": "ok" }] } },
        "Config": { "Hostname": "a", "Labels": labels, "ExposedPorts": { "8080/tcp": {} } },
        "NetworkSettings": { "Ports": {}, "Networks": {
            "shop": { "IPAddress": "172.18.0.3", "GlobalIPv6Address": "", "Gateway": "172.18.0.1" },
        } },
    })
}

fn endpoint(container: Value, network: Option<&str>) -> Result<Endpoint, Unfit> {
    let container: Inspected = serde_json::from_value(container).unwrap();
    container.endpoint(&prefix(), network)
}

fn wrong(container: Value) -> String {
    match endpoint(container, None) {
        Err(Unfit::Wrong(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn labels_choose_among_what_the_engine_says() {
    let found = endpoint(container(json!({ "janua.upstream": "app" })), None).unwrap();
    assert_eq!(found.address.to_string(), "172.18.0.3:8080");
    assert_eq!((found.weight.get(), found.backup), (1, false));
    assert_eq!(found.id.as_deref(), Some("shop-app-1"));

    let labels = json!({
        "janua.upstream": "app", "janua.port": "9000", "janua.weight": "3",
        "janua.backup": "true", "janua.network": "shop",
    });
    let found = endpoint(container(labels), Some("other")).unwrap();
    assert_eq!(found.address.to_string(), "172.18.0.3:9000");
    assert_eq!((found.weight.get(), found.backup), (3, true));

    let mut v6 = container(json!({}));
    v6["NetworkSettings"]["Networks"]["shop"]["IPAddress"] = json!("");
    v6["NetworkSettings"]["Networks"]["shop"]["GlobalIPv6Address"] = json!("fd00::3");
    assert_eq!(
        endpoint(v6, None).unwrap().address.to_string(),
        "[fd00::3]:8080"
    );
}

#[test]
fn only_containers_that_are_well_are_endpoints() {
    for (field, value) in [
        ("/State/Running", json!(false)),
        ("/State/Paused", json!(true)),
        ("/State/Health/Status", json!("starting")),
        ("/State/Health/Status", json!("unhealthy")),
        ("/State/Health/Status", json!("something new")),
    ] {
        let mut container = container(json!({}));
        *container.pointer_mut(field).unwrap() = value;
        assert_eq!(endpoint(container, None), Err(Unfit::NotNow), "{field}");
    }
    for health in [Value::Null, json!({ "Status": "none" }), json!({})] {
        let mut container = container(json!({}));
        container["State"]["Health"] = health;
        endpoint(container, None).unwrap();
    }
}

#[test]
fn hostile_labels_choose_nothing_else() {
    for port in [
        "",
        "0",
        "65536",
        "-1",
        "+80",
        "80 ",
        "8080\"\n[[endpoints]]\naddress = \"10.0.0.1:22",
        "10.0.0.1:22",
        "٣",
        "00000000080",
    ] {
        let why = wrong(container(json!({ "janua.port": port })));
        assert!(why.starts_with("janua.port"), "{port}: {why}");
    }
    for weight in ["0", "1001", "4294967296", "1e3", "1.5"] {
        let why = wrong(container(json!({ "janua.weight": weight })));
        assert!(why.starts_with("janua.weight"), "{weight}: {why}");
    }
    let why = wrong(container(json!({ "janua.backup": "True" })));
    assert!(why.starts_with("janua.backup"), "{why}");
    let why = wrong(container(json!({ "janua.network": "none\u{1b}[2J" })));
    assert_eq!(why, "it is not in the network that is asked for");
}

#[test]
fn labels_that_do_not_count_are_forgotten() {
    let long = "x".repeat(1_000);
    let labels = json!({
        "janua.upstream": "app", "janua.weight": "2", "janua.port": long, "janua.other": "a",
        "other.port": "80", "long": long,
    });
    let mut container: Inspected = serde_json::from_value(container(labels)).unwrap();
    container.forget_other_labels(&prefix());
    let left = container.config.labels.as_ref().unwrap();
    let left: Vec<&str> = left.keys().map(String::as_str).collect();
    assert_eq!(left, ["janua.upstream", "janua.weight"]);
}

#[test]
fn a_container_has_an_address_of_its_own() {
    let with = |networks: Value| {
        let mut container = container(json!({}));
        container["NetworkSettings"]["Networks"] = networks;
        container
    };
    for networks in [
        Value::Null,
        json!({}),
        json!({ "host": { "IPAddress": "" } }),
        json!({ "host": { "IPAddress": "10.0.0.1" } }),
        json!({ "shop": null }),
    ] {
        let why = wrong(with(networks.clone()));
        assert_eq!(why, "it has no network of its own", "{networks}");
    }
    for address in [
        "",
        "127.0.0.1",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "224.0.0.1",
        "255.255.255.255",
        "no address",
        "10.0.0.1:80",
    ] {
        let why = wrong(with(json!({ "shop": { "IPAddress": address } })));
        assert_eq!(why, "it has no address in its network", "{address}");
    }
    let two = json!({ "a": { "IPAddress": "10.0.0.1" }, "b": { "IPAddress": "10.1.0.1" } });
    let why = wrong(with(two.clone()));
    assert_eq!(why, "it has several networks, and none is named");
    let found = endpoint(with(two), Some("b")).unwrap();
    assert_eq!(found.address.to_string(), "10.1.0.1:8080");
}

#[test]
fn a_port_is_left_out_only_if_there_is_one() {
    for (exposed, is_clear) in [
        (json!({ "80/tcp": {} }), true),
        (json!({ "80/tcp": {}, "53/udp": {} }), true),
        (json!({ "80/tcp": {}, "81/tcp": {} }), false),
        (json!({ "53/udp": {} }), false),
        (json!({}), false),
        (Value::Null, false),
    ] {
        let mut container = container(json!({}));
        container["Config"]["ExposedPorts"] = exposed.clone();
        assert_eq!(endpoint(container, None).is_ok(), is_clear, "{exposed}");
    }
}

#[test]
fn a_prefix_is_the_beginning_of_a_label() {
    for (text, label) in [
        ("janua", Some("janua.port")),
        ("com.example.gw.", Some("com.example.gw.port")),
        ("", None),
        ("a b", None),
        ("a\"", None),
        ("a=b", None),
    ] {
        let prefix = LabelPrefix::parse(text).ok();
        assert_eq!(
            prefix.map(|it| it.label("port")).as_deref(),
            label,
            "{text}"
        );
    }
}

#[test]
fn a_name_has_only_what_names_have() {
    let named = |name: &str| {
        let mut container = container(json!({}));
        container["Name"] = json!(name);
        let container: Inspected = serde_json::from_value(container).unwrap();
        container.name()
    };
    assert_eq!(named("/shop_app-1.x"), "shop_app-1.x");
    assert_eq!(named("/a\"\n[[endpoints]]\u{1b}"), "aendpoints");
    assert_eq!(named(""), "");
}
