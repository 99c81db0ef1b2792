/*
 * The digest is SHA-256, cut short, over the question and the position: a cursor of another sort,
 * order, set of filters or scope does not fit, and neither does one that was changed on its way. It
 * is no signature: whoever computes one learns nothing that asking for the page would not say.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "page_cursor.h"

void page_question(StringInfo out, const struct page_cut *cut, NullableDatum whose)
{
    initStringInfo(out);
    appendStringInfo(out, "%d %d %d ", cut->sort, cut->descending, whose.isnull);
    if (!whose.isnull) {
        const struct varlena *plain = PG_DETOAST_DATUM_PACKED(whose.value);
        appendStringInfo(out, "%d ", (int)VARSIZE_ANY_EXHDR(plain));
        appendBinaryStringInfo(out, VARDATA_ANY(plain), (int)VARSIZE_ANY_EXHDR(plain));
    }
    call_filters_serialize(out, cut->filters);
}

static void compute_digest(StringInfo question, const struct cursor *cursor, uint8 *digest)
{
    pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
    uint8 whole[PG_SHA256_DIGEST_LENGTH];

    if (hash == NULL || pg_cryptohash_init(hash) < 0 ||
        pg_cryptohash_update(hash, (const uint8 *)question->data, question->len) < 0 ||
        pg_cryptohash_update(hash, (const uint8 *)&cursor->key, sizeof(cursor->key)) < 0 ||
        pg_cryptohash_update(hash, (const uint8 *)&cursor->started_at, sizeof(cursor->started_at)) <
            0 ||
        pg_cryptohash_update(hash, (const uint8 *)cursor->id, cursor->id_len) < 0 ||
        pg_cryptohash_final(hash, whole, sizeof(whole)) < 0)
        elog(ERROR, "could not compute a digest");
    pg_cryptohash_free(hash);
    memcpy(digest, whole, CURSOR_DIGEST_LEN);
}

void page_cursor_append(StringInfo out, StringInfo question, const struct page_place *place)
{
    const text *id = DatumGetTextPP(place->call_id);
    struct cursor cursor = {.key = place->key,
                            .started_at = place->started_at,
                            .id = VARDATA_ANY(id),
                            .id_len = VARSIZE_ANY_EXHDR(id)};
    char encoded[CURSOR_TEXT_MAX];
    size_t len;

    compute_digest(question, &cursor, cursor.digest);
    len = cursor_encode(&cursor, encoded);
    /* No id of Retell's is that long; what comes after it is reached by offset. */
    if (len == 0) {
        appendStringInfoString(out, "null");
        return;
    }
    appendStringInfoChar(out, '"');
    appendBinaryStringInfo(out, encoded, (int)len);
    appendStringInfoChar(out, '"');
}

void page_cursor_read(Datum value, StringInfo question, struct page_place *place)
{
    const text *plain = DatumGetTextPP(value);
    uint8 raw[CURSOR_RAW_MAX], digest[CURSOR_DIGEST_LEN];
    struct cursor cursor;
    bool good = cursor_decode(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain), raw, &cursor);

    if (good) {
        compute_digest(question, &cursor, digest);
        good = memcmp(digest, cursor.digest, sizeof(digest)) == 0 &&
               pg_verifymbstr(cursor.id, (int)cursor.id_len, true);
    }
    if (!good)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("this is not a cursor of these calls in this order"),
                        errhint("Take nextCursor from a page with the same sort, order, filters "
                                "and agents, or begin without a cursor."),
                        err_generic_string(PG_DIAG_COLUMN_NAME, "cursor")));
    place->key = cursor.key;
    place->started_at = cursor.started_at;
    place->call_id = PointerGetDatum(cstring_to_text_with_len(cursor.id, (int)cursor.id_len));
}
