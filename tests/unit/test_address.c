/* Addresses as proxies and settings write them, and whom a request is taken to come from. */
#include "base/address.h"
#include "http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void understands_addresses_as_proxies_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.100.99.10", "255.100.99.10"},
        {"192.0.2.1:443", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"[::ffff:192.0.2.1]:80", "192.0.2.1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:65535", "2001:db8::1"},
        {"::1", "::1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        char shown[ADDRESS_TEXT_SIZE];
        if (!address_parse(cases[i].text, strlen(cases[i].text), &address))
            fail_msg("%s is refused", cases[i].text);
        address_format(&address, shown);
        assert_string_equal(shown, cases[i].shown);
    }
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "unknown",
        "_hidden",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1:",
        "192.0.2.1:x",
        "1.2.3.4/8",
        "192.0.2.1:123456",
        "[::1",
        "::1]",
        "[::1]x",
        "[::1]:",
        "[192.0.2.1]",
        "fe80::1%eth0",
        "2001:db8::1::2",
        " ::1",
        "0x7f000001",
        "2130706433",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        if (address_parse(cases[i], strlen(cases[i]), &address))
            fail_msg("%s is taken", cases[i]);
    }
}

static void knows_what_lies_in_a_network(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool inside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"192.168.4.0/22", "192.168.7.255", true},
        {"192.168.4.0/22", "192.168.8.0", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network network;
        struct address address;
        assert_true(network_parse(cases[i].network, &network));
        assert_true(address_parse(cases[i].address, strlen(cases[i].address), &address));
        if (network_contains(&network, &address) != cases[i].inside)
            fail_msg("%s in %s", cases[i].address, cases[i].network);
    }
}

static void refuses_what_is_no_network(void **state)
{
    (void)state;
    static const char *const cases[] = {"",           "/8",         "10.0.0.0/",    "10.0.0.0/33",
                                        "10.0.0.1/8", "10.0.0.0/x", "10.0.0.0/-1",  "::/129",
                                        "::1/64",     "localhost",  "10.0.0.0/8/8", "10.0.0.0/+8"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network network;
        if (network_parse(cases[i], &network))
            fail_msg("%s is taken", cases[i]);
    }
}

static void takes_56_bits_of_ipv6_for_one_client(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"2001:db8:1:2::1", "2001:db8:1:ff:ffff::", true},
        {"2001:db8:1:200::1", "2001:db8:1:100::1", false},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address a, b;
        assert_true(address_parse(cases[i].a, strlen(cases[i].a), &a));
        assert_true(address_parse(cases[i].b, strlen(cases[i].b), &b));
        a = address_client(&a);
        b = address_client(&b);
        assert_int_equal(memcmp(&a, &b, sizeof a) == 0, cases[i].same);
    }
}

static void believes_trusted_proxies_only(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *first, *second, *client;
    } cases[] = {
        {"203.0.113.1", NULL, NULL, "203.0.113.1"},
        {"203.0.113.1", "192.0.2.1", NULL, "203.0.113.1"}, /* a stranger may write what it likes */
        {"10.0.0.1", NULL, NULL, "10.0.0.1"},
        {"10.0.0.1", "192.0.2.1", NULL, "192.0.2.1"},
        {"10.0.0.1", "192.0.2.1, 198.51.100.7", NULL, "198.51.100.7"},
        {"10.0.0.1", "192.0.2.1,10.0.0.2 ,\t10.0.0.3", NULL, "192.0.2.1"},
        {"10.0.0.1", "198.51.100.7, 192.0.2.1", "10.0.0.2", "192.0.2.1"},
        {"10.0.0.1", "198.51.100.7", "192.0.2.1, 10.0.0.2", "192.0.2.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3"}, /* all of ours */
        {"10.0.0.1", "192.0.2.1, unknown", NULL, "10.0.0.1"},
        {"10.0.0.1", "192.0.2.1, unknown, 10.0.0.2", NULL, "10.0.0.2"},
        {"10.0.0.1", "", NULL, "10.0.0.1"},
        {"10.0.0.1", ",,192.0.2.1,,", NULL, "192.0.2.1"},
        {"10.0.0.1", "2001:db8::7", NULL, "2001:db8::7"},
        {"10.0.0.1", "[2001:db8::7]:4711", NULL, "2001:db8::7"},
        {"10.0.0.1", "192.0.2.1, fd00::2", NULL, "192.0.2.1"},
        {"10.0.0.1", "::ffff:192.0.2.1", NULL, "192.0.2.1"},
    };
    struct network trusted[2];
    assert_true(network_parse("10.0.0.0/8", &trusted[0]));
    assert_true(network_parse("fd00::/8", &trusted[1]));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request req = {.header_count = 0};
        if (cases[i].first)
            request_add_header(&req, "X-Forwarded-For", cases[i].first);
        request_add_header(&req, "Host", "x");
        if (cases[i].second)
            request_add_header(&req, "x-forwarded-for", cases[i].second);
        request_set_client(&req, cases[i].peer, trusted, 2);
        if (strcmp(req.remote_address, cases[i].client) != 0)
            fail_msg("%s behind %s is taken for %s", cases[i].client,
                     cases[i].first ? cases[i].first : "nothing", req.remote_address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_addresses_as_proxies_write_them),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(knows_what_lies_in_a_network),
        cmocka_unit_test(refuses_what_is_no_network),
        cmocka_unit_test(takes_56_bits_of_ipv6_for_one_client),
        cmocka_unit_test(believes_trusted_proxies_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
