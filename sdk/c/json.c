#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 64

typedef struct {
  const char *at, *end;
  const char *fault;
} reader;

static bool value(reader *in, janua_json *to, int depth);

static bool fail(reader *in, const char *fault) {
  if (in->fault == NULL) in->fault = fault;
  return false;
}

static void *grow(void *memory, size_t size) {
  memory = realloc(memory, size);
  if (memory == NULL) abort();
  return memory;
}

static void space(reader *in) {
  while (in->at < in->end && strchr(" \t\r\n", *in->at) != NULL && *in->at != 0) in->at++;
}

static bool take(reader *in, char expected) {
  if (in->at == in->end || *in->at != expected) return false;
  in->at++;
  return true;
}

static bool word(reader *in, const char *expected) {
  size_t length = strlen(expected);
  if ((size_t)(in->end - in->at) < length || memcmp(in->at, expected, length) != 0) {
    return fail(in, "an unknown word");
  }
  in->at += length;
  return true;
}

static bool hex4(reader *in, uint32_t *code) {
  *code = 0;
  for (int digit = 0; digit < 4; digit++) {
    if (in->at == in->end) return fail(in, "an escape is cut");
    char c = *in->at++;
    uint32_t worth;
    if (c >= '0' && c <= '9') worth = (uint32_t)(c - '0');
    else if (c >= 'a' && c <= 'f') worth = (uint32_t)(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F') worth = (uint32_t)(c - 'A') + 10;
    else return fail(in, "an escape has other characters than hexadecimal digits");
    *code = *code << 4 | worth;
  }
  return true;
}

/* Writes a code point in UTF-8. */
static char *encode(char *to, uint32_t code) {
  if (code < 0x80) {
    *to++ = (char)code;
  } else if (code < 0x800) {
    *to++ = (char)(0xc0 | code >> 6);
    *to++ = (char)(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *to++ = (char)(0xe0 | code >> 12);
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    *to++ = (char)(0x80 | (code & 0x3f));
  } else {
    *to++ = (char)(0xf0 | code >> 18);
    *to++ = (char)(0x80 | (code >> 12 & 0x3f));
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    *to++ = (char)(0x80 | (code & 0x3f));
  }
  return to;
}

static bool escape(reader *in, char **to) {
  static const char NAMES[] = "\"\\/bfnrt", CODES[] = "\"\\/\b\f\n\r\t";
  if (in->at == in->end) return fail(in, "a text does not end");
  char c = *in->at++;
  if (c == 'u') {
    uint32_t code, low;
    if (!hex4(in, &code)) return false;
    if (code >= 0xdc00 && code < 0xe000) return fail(in, "half a pair of escapes");
    if (code >= 0xd800 && code < 0xdc00) {
      if (!take(in, '\\') || !take(in, 'u') || !hex4(in, &low) || low < 0xdc00 || low >= 0xe000) {
        return fail(in, "half a pair of escapes");
      }
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = encode(*to, code);
    return true;
  }
  const char *name = c == 0 ? NULL : strchr(NAMES, c);
  if (name == NULL) return fail(in, "an unknown escape");
  *(*to)++ = CODES[name - NAMES];
  return true;
}

static bool text(reader *in, janua_json *to) {
  if (!take(in, '"')) return fail(in, "a text is expected");
  to->kind = JANUA_JSON_TEXT;
  /* An escape is longer than what it stands for. */
  const char *close = in->at;
  while (close < in->end && *close != '"') close += *close == '\\' && close + 1 < in->end ? 2 : 1;
  char *out = to->text = grow(NULL, (size_t)(close - in->at) + 1);
  while (in->at < in->end && *in->at != '"') {
    char c = *in->at++;
    if ((unsigned char)c < 0x20) return fail(in, "a text has a control character");
    if (c != '\\') *out++ = c;
    else if (!escape(in, &out)) return false;
  }
  *out = 0;
  to->length = (size_t)(out - to->text);
  return take(in, '"') || fail(in, "a text does not end");
}

static bool number(reader *in, janua_json *to) {
  char digits[64];
  size_t length = 0;
  while (in->at < in->end && length < sizeof digits - 1 && *in->at != 0 &&
         strchr("+-.0123456789eE", *in->at) != NULL) {
    digits[length++] = *in->at++;
  }
  digits[length] = 0;
  char *end;
  to->kind = JANUA_JSON_NUMBER;
  to->number = strtod(digits, &end);
  return (length > 0 && *end == 0) || fail(in, "an unknown word");
}

static bool list(reader *in, janua_json *to, int depth) {
  in->at++;
  to->kind = JANUA_JSON_LIST;
  space(in);
  if (take(in, ']')) return true;
  do {
    to->items = grow(to->items, (to->count + 1) * sizeof *to->items);
    janua_json *item = &to->items[to->count++];
    *item = (janua_json){0};
    if (!value(in, item, depth + 1)) return false;
  } while (take(in, ','));
  return take(in, ']') || fail(in, "a list does not end");
}

static bool table(reader *in, janua_json *to, int depth) {
  in->at++;
  to->kind = JANUA_JSON_TABLE;
  space(in);
  if (take(in, '}')) return true;
  do {
    to->items = grow(to->items, (to->count + 1) * sizeof *to->items);
    to->names = grow(to->names, (to->count + 1) * sizeof *to->names);
    janua_json *name = &to->names[to->count], *item = &to->items[to->count];
    to->count++;
    *name = *item = (janua_json){0};
    space(in);
    if (!text(in, name)) return false;
    space(in);
    if (!take(in, ':')) return fail(in, "a name has no value");
    if (!value(in, item, depth + 1)) return false;
  } while (take(in, ','));
  return take(in, '}') || fail(in, "a table does not end");
}

/* A value, and the space around it. */
static bool value(reader *in, janua_json *to, int depth) {
  if (depth > DEEPEST) return fail(in, "it is nested too deep");
  space(in);
  bool read;
  switch (in->at == in->end ? 0 : *in->at) {
    case '{': read = table(in, to, depth); break;
    case '[': read = list(in, to, depth); break;
    case '"': read = text(in, to); break;
    case 'n': to->kind = JANUA_JSON_NULL; read = word(in, "null"); break;
    case 't': to->kind = JANUA_JSON_FLAG; to->flag = true; read = word(in, "true"); break;
    case 'f': to->kind = JANUA_JSON_FLAG; read = word(in, "false"); break;
    default: read = number(in, to);
  }
  space(in);
  return read;
}

static void clear(janua_json *document) {
  for (size_t at = 0; at < document->count; at++) {
    clear(&document->items[at]);
    if (document->names != NULL) clear(&document->names[at]);
  }
  free(document->items);
  free(document->names);
  free(document->text);
}

void janua_json_free(janua_json *document) {
  clear(document);
  free(document);
}

janua_json *janua_json_read(const char *document, size_t length, const char **fault) {
  reader in = {.at = document, .end = document + length};
  janua_json *root = grow(NULL, sizeof *root);
  *root = (janua_json){.kind = JANUA_JSON_TABLE};
  space(&in);
  if (in.at == in.end) return root;
  if (value(&in, root, 0) && (in.at == in.end || fail(&in, "there is more after its end"))) {
    return root;
  }
  *fault = in.fault;
  janua_json_free(root);
  return NULL;
}

const janua_json *janua_json_member(const janua_json *table, const char *name) {
  size_t length = strlen(name);
  if (table->kind != JANUA_JSON_TABLE) return NULL;
  for (size_t at = 0; at < table->count; at++) {
    const janua_json *candidate = &table->names[at];
    if (candidate->length == length && memcmp(candidate->text, name, length) == 0) {
      return &table->items[at];
    }
  }
  return NULL;
}
