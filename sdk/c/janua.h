/* Write a Janua policy in C.
 *
 * A policy defines the description and the four functions under "What a policy defines", and
 * builds what it returns with the functions under "Subscriptions" and "Verdicts". Every type of
 * the contract is in contract.h, which is generated; this header gives the ones that a policy
 * handles a shorter name.
 *
 * What is returned is freed by the generated code. So every text and list in it must have been
 * allocated, as all functions here do, and must not be used twice. Running out of memory traps. */
#ifndef JANUA_H
#define JANUA_H

#include "contract.h"
#include "json.h"

typedef contract_string_t janua_text;
typedef janua_policy_values_value_t janua_value;
typedef janua_policy_values_reply_t janua_reply;
typedef janua_policy_subscriptions_input_t janua_input;
typedef janua_policy_subscriptions_phase_t janua_phase;
typedef janua_policy_subscriptions_subscription_t janua_subscription;
typedef janua_policy_verdicts_verdict_t janua_verdict;
typedef janua_policy_verdicts_edit_t janua_edit;

/* ---- What a policy defines ---- */

typedef struct {
  const char *name, *version, *summary;
  const char *config_schema; /* JSON Schema, or NULL. */
} janua_description;

extern const janua_description janua_describes;

/* Reads a configuration, which is freed afterwards. Returns NULL and sets `error`, which the
 * operator gets, to refuse it: see janua_format. */
void *janua_configure(const janua_json *config, janua_text *error);
/* What this configuration takes part in and may do. */
void janua_subscribe(const void *policy, janua_subscription *subscription);
/* Decides in the phase at this position of the subscription. `inputs` are in the order of the
 * declaration; see janua_get. Returns false and sets `error` for a failure. */
bool janua_decide(const void *policy, uint32_t phase, const contract_list_option_string_t *inputs,
                  janua_verdict *verdict, janua_text *error);
/* Frees a policy. */
void janua_drop(void *policy);

/* ---- Texts ---- */

/* A copy of a text. That of NULL is empty. */
janua_text janua_copy(const char *text);
janua_text janua_copy_of(const void *bytes, size_t length);
/* A text as printf makes it. */
janua_text janua_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An input, or NULL if it is absent. It need not end in a zero. */
const janua_text *janua_get(const contract_list_option_string_t *inputs, size_t position);
/* Whether these are the same bytes. */
bool janua_same(const janua_text *text, const char *bytes, size_t length);
/* Adds an element to any list of the contract. */
#define JANUA_PUSH(list, ...)                                                       \
  ((list)->ptr = janua_grow((list)->ptr, (list)->len, sizeof *(list)->ptr),         \
   (list)->ptr[(list)->len++] = (__VA_ARGS__))
void *janua_grow(void *list, size_t length, size_t size);

/* ---- Subscriptions ---- */

/* Takes part in a phase: "request", "fetched", "missing", "response" or "finished". The pointer is
 * valid until the next phase is added. */
janua_phase *janua_takes_part(janua_subscription *subscription, const char *phase);
/* Inputs are passed to janua_decide and are the key under which a verdict is reused. Returns the
 * position. */
uint32_t janua_asks_for(janua_phase *phase, janua_input input);
/* The same for a secret, which the gateway never prints. */
uint32_t janua_asks_for_secret(janua_phase *phase, janua_input input);
/* References are only used in values. Returns the position. */
uint32_t janua_refers_to(janua_phase *phase, janua_input input);
/* What a verdict of this phase may do, for example "respond" or "edit:header:x-user". */
void janua_may(janua_phase *phase, const char *permission);
/* Request fields that only this policy may state. */
void janua_owns(janua_subscription *subscription, const char *field);
/* A variable that its verdicts may set. */
void janua_has_variable(janua_subscription *subscription, const char *name);
/* What it calls by name, for example "secret:session". */
void janua_uses(janua_subscription *subscription, const char *permission);

/* An input without an argument, such as JANUA_POLICY_SUBSCRIPTIONS_INPUT_PATH; with a name, such as
 * JANUA_POLICY_SUBSCRIPTIONS_INPUT_HEADER; of a body, with its largest size; and the others. */
janua_input janua_input_of(uint8_t tag);
janua_input janua_input_named(uint8_t tag, const char *name);
janua_input janua_input_sized(uint8_t tag, uint32_t bytes);
janua_input janua_client_network(uint8_t ipv4, uint8_t ipv6);
janua_input janua_lookup(const char *dataset, uint32_t key, const char *member);
/* The commonest one. */
janua_input janua_header(const char *name);

/* ---- Verdicts ---- */

/* A value: a text; an input or a reference by its position; or several of them in a row. */
janua_value janua_literal(const char *text);
janua_value janua_literal_of(const void *bytes, size_t length);
janua_value janua_at_input(uint32_t position);
janua_value janua_at_reference(uint32_t position);
janua_value janua_join(janua_value first, janua_value second);

/* A reply without fields; with a text, its content type is set. */
janua_reply janua_reply_of(uint16_t status);
janua_reply janua_reply_text(uint16_t status, const char *text);
void janua_reply_header(janua_reply *reply, const char *name, janua_value value);

/* A verdict proceeds and is never reused unless one of these says otherwise. */
void janua_respond(janua_verdict *verdict, janua_reply reply);
void janua_serve(janua_verdict *verdict, janua_value path);
void janua_until_reload(janua_verdict *verdict);
void janua_for_seconds(janua_verdict *verdict, uint32_t seconds);
void janua_until(janua_verdict *verdict, uint64_t unix_seconds);

/* Edits, for `JANUA_PUSH(&verdict->edits, …)` and `&verdict->response_edits`. */
janua_edit janua_set_header(const char *name, janua_value value);
janua_edit janua_append_header(const char *name, janua_value value);
janua_edit janua_default_header(const char *name, janua_value value);
janua_edit janua_remove_header(const char *name);
janua_edit janua_set_path(janua_value value);
janua_edit janua_set_query(janua_value value);
janua_edit janua_set_status(uint16_t status);
janua_edit janua_set_variable(const char *name, janua_value value);

/* A word for the access log; a note is one with the name "note". Effects have no functions of
 * their own: `JANUA_PUSH(&verdict->effects, (janua_policy_effects_effect_t){…})`. */
void janua_annotate(janua_verdict *verdict, const char *name, janua_value value);
void janua_note(janua_verdict *verdict, const char *note);

#endif
