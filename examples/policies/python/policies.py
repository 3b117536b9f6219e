"""The example policy ``tenant``: accepts known tenants and tells the upstream their
tier. It also exists in Rust, JavaScript, C and Go."""

from janua import ConfigError, Phase, Policy, export, header, may, proceed, respond


class Tenant(Policy):
    name = "tenant"
    version = "0.1.0"
    summary = "Accepts known tenants and tells the upstream their tier"

    def __init__(self, config):
        self.tiers = check(config)
        self.request = Phase(
            {"tenant": header("x-tenant")},
            may=[may.RESPOND, may.edit_header("x-tenant-tier")],
        )

    def on_request(self, inputs):
        tenant = inputs["tenant"]
        if tenant is None:
            return refused("tenant:missing")
        tier = self.tiers.get(tenant)
        if tier is None:
            return refused("tenant:unknown")
        return proceed().set_header("x-tenant-tier", tier).until_reload()


def refused(note):
    return respond(403, "Unknown tenant\n").note(note).until_reload()


def check(config):
    """Refuses the same configurations as the other languages, with the same messages."""
    for name in config:
        if name != "tiers":
            raise ConfigError(f"unknown field `{name}`; there are tiers")
    if "tiers" not in config:
        raise ConfigError("missing field `tiers`")
    tiers = config["tiers"]
    if not isinstance(tiers, dict):
        raise ConfigError("`tiers`: expected a table")
    for tenant, tier in tiers.items():
        if not isinstance(tier, str):
            raise ConfigError(f"`tiers.{tenant}`: expected a string")
    if not tiers:
        raise ConfigError("`tiers`: name at least one tenant")
    return tiers


Policies, Policy = export(Tenant)
