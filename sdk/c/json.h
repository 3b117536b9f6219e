/* Reads a JSON document (RFC 8259), which a configuration is. */
#ifndef JANUA_JSON_H
#define JANUA_JSON_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
  JANUA_JSON_NULL,
  JANUA_JSON_FLAG,
  JANUA_JSON_NUMBER,
  JANUA_JSON_TEXT,
  JANUA_JSON_LIST,
  JANUA_JSON_TABLE,
} janua_json_kind;

typedef struct janua_json {
  janua_json_kind kind;
  bool flag;
  double number;
  /* A text in UTF-8. It ends in a zero that `length` does not count, and may contain others. */
  char *text;
  size_t length;
  /* The elements of a list, or the values of a table, and the number of them. */
  struct janua_json *items;
  /* The names of a table, which are texts. */
  struct janua_json *names;
  size_t count;
} janua_json;

/* Reads a document. An empty one is an empty table. Returns NULL and says why in `fault` if it is no
 * JSON, or is nested more than 64 deep. */
janua_json *janua_json_read(const char *document, size_t length, const char **fault);
/* The value with this name in a table, or NULL. */
const janua_json *janua_json_member(const janua_json *table, const char *name);
void janua_json_free(janua_json *document);

#endif
