/* Tests of the JSON reader, run natively by `make sdk-c-test`. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

/* A copy without a zero at its end, so that reading beyond it is a fault that a checker finds. */
static janua_json *read_exactly(const char *document, size_t length, const char **fault) {
  char *copy = malloc(length == 0 ? 1 : length);
  CHECK(copy != NULL);
  memcpy(copy, document, length);
  janua_json *read = janua_json_read(copy, length, fault);
  free(copy);
  return read;
}

static janua_json *read(const char *document) {
  const char *fault = NULL;
  janua_json *read = read_exactly(document, strlen(document), &fault);
  if (read == NULL) fprintf(stderr, "%s: %s\n", document, fault);
  CHECK(read != NULL);
  return read;
}

static void texts(void) {
  static const struct {
    const char *document, *text;
    size_t length;
  } TABLE[] = {
      {"\"\"", "", 0},
      {"\"zo\xc3\xab\"", "zo\xc3\xab", 4},
      {"\"zo\\u00eb\"", "zo\xc3\xab", 4},
      {"\"\\u20AC\"", "\xe2\x82\xac", 3},
      {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4},
      {"\"a\\u0000b\"", "a\0b", 3},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
  };
  for (size_t at = 0; at < sizeof TABLE / sizeof *TABLE; at++) {
    janua_json *json = read(TABLE[at].document);
    CHECK(json->kind == JANUA_JSON_TEXT);
    CHECK(json->length == TABLE[at].length);
    CHECK(memcmp(json->text, TABLE[at].text, TABLE[at].length + 1) == 0);
    janua_json_free(json);
  }
}

static void structure(void) {
  janua_json *json = read(" {\"a\": [1, -2.5e1, true, false, null, {}], \"b\" :{\"c\":\"d\"} } ");
  const janua_json *list = janua_json_member(json, "a");
  CHECK(list != NULL && list->kind == JANUA_JSON_LIST && list->count == 6);
  CHECK(list->items[0].number == 1 && list->items[1].number == -25);
  CHECK(list->items[2].flag && !list->items[3].flag);
  CHECK(list->items[4].kind == JANUA_JSON_NULL);
  CHECK(list->items[5].kind == JANUA_JSON_TABLE && list->items[5].count == 0);
  const janua_json *inner = janua_json_member(json, "b");
  CHECK(inner != NULL && strcmp(janua_json_member(inner, "c")->text, "d") == 0);
  CHECK(janua_json_member(json, "c") == NULL && janua_json_member(list, "a") == NULL);
  janua_json_free(json);
  json = read(" ");
  CHECK(json->kind == JANUA_JSON_TABLE && json->count == 0);
  janua_json_free(json);
}

static void refusals(void) {
  static const char *const TABLE[] = {
      "{",          "[",         "[1",          "[1,",        "[1,]",         "{\"a\"",
      "{\"a\":",    "{\"a\":1,", "{\"a\":1,}",  "{a:1}",      "\"a",          "\"\\",
      "\"\\x\"",    "\"\\u12",   "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
      "\"a\nb\"",   "nul",       "tru",         "1 2",        "-",            "1e",
      "{} {}",      "]",         "0x10",        "nan",        "{\"a\":1 \"b\":2}",
  };
  for (size_t at = 0; at < sizeof TABLE / sizeof *TABLE; at++) {
    const char *fault = NULL;
    janua_json *json = read_exactly(TABLE[at], strlen(TABLE[at]), &fault);
    if (json != NULL) fprintf(stderr, "accepted: %s\n", TABLE[at]);
    CHECK(json == NULL && fault != NULL);
  }
}

/* Each beginning of a document is refused, and frees what it had read. */
static void cuts(void) {
  static const char DOCUMENT[] = "{\"a\":[\"\\ud83d\\ude00\",{\"b\":[true,1.5e3]}],\"c\":\"d\"}";
  for (size_t length = 1; length + 1 < sizeof DOCUMENT; length++) {
    const char *fault = NULL;
    CHECK(read_exactly(DOCUMENT, length, &fault) == NULL && fault != NULL);
  }
}

static void depth(void) {
  char document[400];
  for (int levels = 60; levels < 70; levels++) {
    memset(document, '[', (size_t)levels);
    memset(document + levels, ']', (size_t)levels);
    const char *fault = NULL;
    janua_json *json = read_exactly(document, 2 * (size_t)levels, &fault);
    CHECK((json != NULL) == (levels <= 65));
    if (json != NULL) janua_json_free(json);
  }
}

int main(void) {
  texts();
  structure();
  refusals();
  cuts();
  depth();
  puts("json: ok");
  return 0;
}
