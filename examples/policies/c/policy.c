/* The example policy `tenant`: accepts known tenants and tells the upstream their tier.
 * It also exists in Rust, JavaScript, Python and Go. */

#include <stdlib.h>
#include <string.h>

#include "janua.h"

const janua_description janua_describes = {
    .name = "tenant",
    .version = "0.1.0",
    .summary = "Accepts known tenants and tells the upstream their tier",
};

typedef struct {
  janua_text name, tier;
} tenant;

typedef struct {
  tenant *ptr;
  size_t len;
} tenants;

/* Refuses the same configurations as the other languages, with the same messages. */
static bool is_refused(const janua_json *config, janua_text *error) {
  for (size_t at = 0; config->kind == JANUA_JSON_TABLE && at < config->count; at++) {
    const char *name = config->names[at].text;
    if (strcmp(name, "tiers") != 0) {
      *error = janua_format("unknown field `%s`; there are tiers", name);
      return true;
    }
  }
  const janua_json *tiers = janua_json_member(config, "tiers");
  if (tiers == NULL) {
    *error = janua_copy("missing field `tiers`");
    return true;
  }
  if (tiers->kind != JANUA_JSON_TABLE) {
    *error = janua_copy("`tiers`: expected a table");
    return true;
  }
  for (size_t at = 0; at < tiers->count; at++) {
    if (tiers->items[at].kind != JANUA_JSON_TEXT) {
      *error = janua_format("`tiers.%s`: expected a string", tiers->names[at].text);
      return true;
    }
  }
  if (tiers->count == 0) *error = janua_copy("`tiers`: name at least one tenant");
  return tiers->count == 0;
}

void *janua_configure(const janua_json *config, janua_text *error) {
  if (is_refused(config, error)) return NULL;
  const janua_json *tiers = janua_json_member(config, "tiers");
  tenants *policy = calloc(1, sizeof *policy);
  if (policy == NULL) abort();
  for (size_t at = 0; at < tiers->count; at++) {
    const janua_json *name = &tiers->names[at], *tier = &tiers->items[at];
    JANUA_PUSH(policy, (tenant){
                           .name = janua_copy_of(name->text, name->length),
                           .tier = janua_copy_of(tier->text, tier->length),
                       });
  }
  return policy;
}

void janua_subscribe(const void *policy, janua_subscription *subscription) {
  (void)policy;
  janua_phase *request = janua_takes_part(subscription, "request");
  janua_asks_for(request, janua_header("x-tenant"));
  janua_may(request, "respond");
  janua_may(request, "edit:header:x-tenant-tier");
}

static void refuse(janua_verdict *verdict, const char *note) {
  janua_respond(verdict, janua_reply_text(403, "Unknown tenant\n"));
  janua_note(verdict, note);
}

bool janua_decide(const void *policy, uint32_t phase, const contract_list_option_string_t *inputs,
                  janua_verdict *verdict, janua_text *error) {
  (void)phase, (void)error;
  const tenants *known = policy;
  const janua_text *name = janua_get(inputs, 0);
  janua_until_reload(verdict);
  if (name == NULL) {
    refuse(verdict, "tenant:missing");
    return true;
  }
  for (size_t at = 0; at < known->len; at++) {
    const tenant *tenant = &known->ptr[at];
    if (janua_same(name, (const char *)tenant->name.ptr, tenant->name.len)) {
      janua_value tier = janua_literal_of(tenant->tier.ptr, tenant->tier.len);
      JANUA_PUSH(&verdict->edits, janua_set_header("x-tenant-tier", tier));
      return true;
    }
  }
  refuse(verdict, "tenant:unknown");
  return true;
}

void janua_drop(void *policy) {
  tenants *known = policy;
  for (size_t at = 0; at < known->len; at++) {
    free(known->ptr[at].name.ptr);
    free(known->ptr[at].tier.ptr);
  }
  free(known->ptr);
  free(known);
}
