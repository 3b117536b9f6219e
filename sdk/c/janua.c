#include "janua.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The exports of the component ---- */

struct exports_janua_policy_policies_policy_t {
  void *policy;
};

/* Memory, or a trap if there is none. */
static void *allocate(size_t size) {
  void *memory = malloc(size == 0 ? 1 : size);
  if (memory == NULL) abort();
  return memory;
}

void exports_janua_policy_policies_describe(exports_janua_policy_policies_description_t *ret) {
  *ret = (exports_janua_policy_policies_description_t){
      .name = janua_copy(janua_describes.name),
      .version = janua_copy(janua_describes.version),
      .summary = janua_copy(janua_describes.summary),
  };
  if (janua_describes.config_schema != NULL) {
    ret->config_schema.is_some = true;
    ret->config_schema.val = janua_copy(janua_describes.config_schema);
  }
}

bool exports_janua_policy_policies_static_policy_configure(
    contract_string_t *config, exports_janua_policy_policies_own_policy_t *ret,
    contract_string_t *err) {
  const char *fault = NULL;
  janua_json *document = janua_json_read((const char *)config->ptr, config->len, &fault);
  contract_string_free(config);
  if (document == NULL) {
    *err = janua_format("the configuration is no JSON document: %s", fault);
    return false;
  }
  *err = (contract_string_t){0};
  void *policy = janua_configure(document, err);
  janua_json_free(document);
  if (policy == NULL) return false;
  exports_janua_policy_policies_policy_t *exported = allocate(sizeof *exported);
  exported->policy = policy;
  *ret = exports_janua_policy_policies_policy_new(exported);
  return true;
}

void exports_janua_policy_policies_method_policy_subscription(
    exports_janua_policy_policies_borrow_policy_t self,
    exports_janua_policy_policies_subscription_t *ret) {
  *ret = (exports_janua_policy_policies_subscription_t){0};
  janua_subscribe(self->policy, ret);
}

bool exports_janua_policy_policies_method_policy_decide(
    exports_janua_policy_policies_borrow_policy_t self, uint32_t phase,
    contract_list_option_string_t *inputs, exports_janua_policy_policies_verdict_t *ret,
    contract_string_t *err) {
  /* All zeros: proceeds, and is never reused. */
  *ret = (exports_janua_policy_policies_verdict_t){0};
  *err = (contract_string_t){0};
  bool decided = janua_decide(self->policy, phase, inputs, ret, err);
  contract_list_option_string_free(inputs);
  if (!decided) exports_janua_policy_policies_verdict_free(ret);
  return decided;
}

void exports_janua_policy_policies_policy_destructor(
    exports_janua_policy_policies_policy_t *exported) {
  janua_drop(exported->policy);
  free(exported);
}

/* ---- Texts ---- */

janua_text janua_copy_of(const void *bytes, size_t length) {
  if (length == 0) return (janua_text){0};
  janua_text text = {.ptr = allocate(length), .len = length};
  memcpy(text.ptr, bytes, length);
  return text;
}

janua_text janua_copy(const char *text) {
  return janua_copy_of(text, text == NULL ? 0 : strlen(text));
}

janua_text janua_format(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (length <= 0) return (janua_text){0};
  janua_text text = {.ptr = allocate((size_t)length + 1), .len = (size_t)length};
  va_start(arguments, format);
  vsnprintf((char *)text.ptr, text.len + 1, format, arguments);
  va_end(arguments);
  return text;
}

const janua_text *janua_get(const contract_list_option_string_t *inputs, size_t position) {
  if (position >= inputs->len || !inputs->ptr[position].is_some) return NULL;
  return &inputs->ptr[position].val;
}

bool janua_same(const janua_text *text, const char *bytes, size_t length) {
  return text->len == length && (length == 0 || memcmp(text->ptr, bytes, length) == 0);
}

void *janua_grow(void *list, size_t length, size_t size) {
  void *grown = realloc(list, (length + 1) * size);
  if (grown == NULL) abort();
  return grown;
}

/* ---- Subscriptions ---- */

janua_phase *janua_takes_part(janua_subscription *subscription, const char *phase) {
  JANUA_PUSH(&subscription->phases, (janua_phase){.name = janua_copy(phase)});
  return &subscription->phases.ptr[subscription->phases.len - 1];
}

uint32_t janua_asks_for(janua_phase *phase, janua_input input) {
  JANUA_PUSH(&phase->inputs, input);
  return (uint32_t)phase->inputs.len - 1;
}

uint32_t janua_asks_for_secret(janua_phase *phase, janua_input input) {
  uint32_t position = janua_asks_for(phase, input);
  JANUA_PUSH(&phase->sensitive, position);
  return position;
}

uint32_t janua_refers_to(janua_phase *phase, janua_input input) {
  JANUA_PUSH(&phase->references, input);
  return (uint32_t)phase->references.len - 1;
}

void janua_may(janua_phase *phase, const char *permission) {
  JANUA_PUSH(&phase->may, janua_copy(permission));
}

void janua_owns(janua_subscription *subscription, const char *field) {
  JANUA_PUSH(&subscription->owns, janua_copy(field));
}

void janua_has_variable(janua_subscription *subscription, const char *name) {
  JANUA_PUSH(&subscription->variables, janua_copy(name));
}

void janua_uses(janua_subscription *subscription, const char *permission) {
  JANUA_PUSH(&subscription->uses, janua_copy(permission));
}

janua_input janua_input_of(uint8_t tag) { return (janua_input){.tag = tag}; }

/* The member of the union does not matter: all cases with a name have the same type, and so do all
 * with a size. */
janua_input janua_input_named(uint8_t tag, const char *name) {
  return (janua_input){.tag = tag, .val.header = janua_copy(name)};
}

janua_input janua_input_sized(uint8_t tag, uint32_t bytes) {
  return (janua_input){.tag = tag, .val.body_text = bytes};
}

janua_input janua_client_network(uint8_t ipv4, uint8_t ipv6) {
  return (janua_input){
      .tag = JANUA_POLICY_SUBSCRIPTIONS_INPUT_CLIENT_NETWORK,
      .val.client_network = {.ipv4 = ipv4, .ipv6 = ipv6},
  };
}

janua_input janua_lookup(const char *dataset, uint32_t key, const char *member) {
  return (janua_input){
      .tag = JANUA_POLICY_SUBSCRIPTIONS_INPUT_LOOKUP,
      .val.lookup = {.dataset = janua_copy(dataset), .key = key, .member = janua_copy(member)},
  };
}

janua_input janua_header(const char *name) {
  return janua_input_named(JANUA_POLICY_SUBSCRIPTIONS_INPUT_HEADER, name);
}

/* ---- Values and replies ---- */

static janua_value value_of(janua_policy_values_part_t part) {
  janua_value value = {0};
  JANUA_PUSH(&value, part);
  return value;
}

janua_value janua_literal_of(const void *bytes, size_t length) {
  return value_of((janua_policy_values_part_t){
      .tag = JANUA_POLICY_VALUES_PART_LITERAL,
      .val.literal = janua_copy_of(bytes, length),
  });
}

janua_value janua_literal(const char *text) { return janua_literal_of(text, strlen(text)); }

janua_value janua_at_input(uint32_t position) {
  return value_of((janua_policy_values_part_t){
      .tag = JANUA_POLICY_VALUES_PART_INPUT,
      .val.input = position,
  });
}

janua_value janua_at_reference(uint32_t position) {
  return value_of((janua_policy_values_part_t){
      .tag = JANUA_POLICY_VALUES_PART_REFERENCE,
      .val.reference = position,
  });
}

janua_value janua_join(janua_value first, janua_value second) {
  for (size_t at = 0; at < second.len; at++) JANUA_PUSH(&first, second.ptr[at]);
  free(second.ptr);
  return first;
}

janua_reply janua_reply_of(uint16_t status) { return (janua_reply){.status = status}; }

janua_reply janua_reply_text(uint16_t status, const char *text) {
  janua_reply reply = janua_reply_of(status);
  janua_reply_header(&reply, "content-type", janua_literal("text/plain; charset=utf-8"));
  reply.body.tag = JANUA_POLICY_VALUES_CONTENT_TEXT;
  reply.body.val.text = janua_copy(text);
  return reply;
}

static janua_policy_values_header_t field(const char *name, janua_value value) {
  return (janua_policy_values_header_t){.name = janua_copy(name), .value = value};
}

void janua_reply_header(janua_reply *reply, const char *name, janua_value value) {
  JANUA_PUSH(&reply->headers, field(name, value));
}

/* ---- Verdicts ---- */

void janua_respond(janua_verdict *verdict, janua_reply reply) {
  verdict->outcome.tag = JANUA_POLICY_VERDICTS_OUTCOME_RESPOND;
  verdict->outcome.val.respond = reply;
}

void janua_serve(janua_verdict *verdict, janua_value path) {
  verdict->outcome.tag = JANUA_POLICY_VERDICTS_OUTCOME_SERVE;
  verdict->outcome.val.serve = path;
}

void janua_until_reload(janua_verdict *verdict) {
  verdict->reuse.tag = JANUA_POLICY_VERDICTS_REUSE_UNTIL_RELOAD;
}

void janua_for_seconds(janua_verdict *verdict, uint32_t seconds) {
  verdict->reuse.tag = JANUA_POLICY_VERDICTS_REUSE_SECONDS;
  verdict->reuse.val.seconds = seconds;
}

void janua_until(janua_verdict *verdict, uint64_t unix_seconds) {
  verdict->reuse.tag = JANUA_POLICY_VERDICTS_REUSE_UNTIL;
  verdict->reuse.val.until = unix_seconds;
}

janua_edit janua_set_header(const char *name, janua_value value) {
  return (janua_edit){
      .tag = JANUA_POLICY_VERDICTS_EDIT_SET_HEADER,
      .val.set_header = field(name, value),
  };
}

janua_edit janua_append_header(const char *name, janua_value value) {
  return (janua_edit){
      .tag = JANUA_POLICY_VERDICTS_EDIT_APPEND_HEADER,
      .val.append_header = field(name, value),
  };
}

janua_edit janua_default_header(const char *name, janua_value value) {
  return (janua_edit){
      .tag = JANUA_POLICY_VERDICTS_EDIT_DEFAULT_HEADER,
      .val.default_header = field(name, value),
  };
}

janua_edit janua_remove_header(const char *name) {
  return (janua_edit){
      .tag = JANUA_POLICY_VERDICTS_EDIT_REMOVE_HEADER,
      .val.remove_header = janua_copy(name),
  };
}

janua_edit janua_set_path(janua_value value) {
  return (janua_edit){.tag = JANUA_POLICY_VERDICTS_EDIT_SET_PATH, .val.set_path = value};
}

janua_edit janua_set_query(janua_value value) {
  return (janua_edit){.tag = JANUA_POLICY_VERDICTS_EDIT_SET_QUERY, .val.set_query = value};
}

janua_edit janua_set_status(uint16_t status) {
  return (janua_edit){.tag = JANUA_POLICY_VERDICTS_EDIT_SET_STATUS, .val.set_status = status};
}

janua_edit janua_set_variable(const char *name, janua_value value) {
  return (janua_edit){
      .tag = JANUA_POLICY_VERDICTS_EDIT_SET_VARIABLE,
      .val.set_variable = {.name = janua_copy(name), .value = value},
  };
}

void janua_annotate(janua_verdict *verdict, const char *name, janua_value value) {
  JANUA_PUSH(&verdict->annotations, (janua_policy_verdicts_annotation_t){
                                        .name = janua_copy(name),
                                        .value = value,
                                    });
}

void janua_note(janua_verdict *verdict, const char *note) {
  janua_annotate(verdict, "note", janua_literal(note));
}
