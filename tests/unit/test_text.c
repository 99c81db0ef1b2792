/* UTF-8 against its definition, times, digests, and the comparison of secrets. */
#include "base/clock.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/utf8.h"

#include "unit.h"

#include <stdbool.h>
#include <string.h>

/* What RFC 3629 says, the slow way: decode, then ask whether that is the shortest form of a scalar. */
static size_t by_definition(const unsigned char *s, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xE0) == 0xC0 ? 2
               : (s[0] & 0xF0) == 0xE0 ? 3
               : (s[0] & 0xF8) == 0xF0 ? 4
                                       : 0;
    if (n == 0 || n > len)
        return 0;
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3Fu);
    }
    bool scalar = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
    return scalar && (n == 1 || code >= least[n]) ? n : 0;
}

/* Every first and second byte; of the others, those at which something may change. */
static void knows_every_sequence(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0};
    unsigned differ = 0;
    for (unsigned head = 0; head < 0x10000; head++) {
        for (size_t tail = 0; tail < COUNT(edges) * COUNT(edges); tail++) {
            const unsigned char s[4] = {(unsigned char)(head >> 8), (unsigned char)head,
                                        edges[tail % COUNT(edges)], edges[tail / COUNT(edges)]};
            for (size_t len = 1; len <= sizeof s; len++)
                differ += utf8_sequence(s, len) != by_definition(s, len);
        }
    }
    assert_int_equal(differ, 0);
}

static void writes_times_as_iso_8601(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *iso;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {INT64_C(1704067200000), "2024-01-01T00:00:00.000Z"},
        {INT64_C(1709209845007), "2024-02-29T12:30:45.007Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[CLOCK_ISO_SIZE];
        clock_iso(cases[i].ms, out);
        assert_string_equal(out, cases[i].iso);
    }
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
    (void)state;
    int64_t before = clock_mono_ms();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_ms();
        assert_true(now >= before);
        before = now;
    }
    struct timespec t = clock_mono_timespec(INT64_C(12345678));
    assert_int_equal(t.tv_sec, 12345);
    assert_int_equal(t.tv_nsec, 678000000);
}

static void digests_are_sha_256(void **state)
{
    (void)state;
    char hex[CRYPTO_SHA256_HEX_SIZE];
    assert_int_equal(crypto_sha256_hex("abc", 3, hex), ERR_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(crypto_sha256_hex("", 0, hex), ERR_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void secrets_are_the_same_only_when_every_byte_is(void **state)
{
    (void)state;
    static const char secret[] = "fd_0123456789abcdef";
    const size_t len = sizeof secret - 1;
    char other[sizeof secret];
    struct crypto_secret kept;
    struct crypto_secret empty;
    assert_int_equal(crypto_secret_take(secret, len, &kept), ERR_OK);
    assert_int_equal(crypto_secret_take("", 0, &empty), ERR_OK);
    assert_true(crypto_secret_is(&kept, secret, len));
    assert_true(crypto_secret_is(&empty, "", 0));
    assert_false(crypto_secret_is(&empty, secret, len));
    for (size_t shorter = 0; shorter < len; shorter++)
        assert_false(crypto_secret_is(&kept, secret, shorter));
    for (size_t bit = 0; bit < len * 8; bit++) {
        memcpy(other, secret, sizeof secret);
        other[bit / 8] = (char)(other[bit / 8] ^ 1 << bit % 8);
        assert_false(crypto_secret_is(&kept, other, len));
    }
}

static void random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[32] = {0};
    unsigned char b[32] = {0};
    assert_int_equal(crypto_random(a, sizeof a), ERR_OK);
    assert_int_equal(crypto_random(b, sizeof b), ERR_OK);
    assert_memory_not_equal(a, b, sizeof a);
}

static void every_error_has_a_name(void **state)
{
    (void)state;
    for (int err = ERR_OK; err <= ERR_INTERNAL; err++)
        assert_string_not_equal(err_name((enum err)err), "unknown");
    assert_string_equal(err_name(ERR_TIMEOUT), "timeout");
    assert_string_equal(err_name((enum err)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_sequence),
        cmocka_unit_test(writes_times_as_iso_8601),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
        cmocka_unit_test(digests_are_sha_256),
        cmocka_unit_test(secrets_are_the_same_only_when_every_byte_is),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(every_error_has_a_name),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
