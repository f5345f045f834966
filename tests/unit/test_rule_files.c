/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of rules, and the files that they name. */
#include <stdlib.h>

#include <arpa/inet.h>

#include "rules_of.h"

#define ALLOW SPILL_VERDICT_ALLOW
#define DENY  SPILL_VERDICT_DENY

static struct spill_ruleset *load(const char *path)
{
    struct spill_ruleset *ruleset;
    struct spill_error error;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    ruleset = spill_rules_read(file, path, NULL, &error);
    fclose(file);
    if (ruleset == NULL)
        fail_msg("%s", error.text);
    return ruleset;
}

static void files(void **state)
{
    struct spill_ruleset *ruleset = load("/dev/null");
    struct spill_error error;
    FILE *folder;

    (void)state;
    assert_int_equal(ruleset->count, 0);
    spill_rules_free(ruleset);
    folder = fopen("/", "r");
    assert_non_null(folder);
    assert_null(spill_rules_read(folder, "/", NULL, &error));
    assert_string_equal(error.text, "/:1: can't read: Is a directory");
    fclose(folder);

    ruleset = load(SPILL_SOURCE_ROOT "/config/rules/office.rules");
    assert_in_range(ruleset->count, 20, 100);
    spill_rules_free(ruleset);

    ruleset = load(SPILL_SOURCE_ROOT "/config/rules/classbench.rules");
    assert_int_equal(ruleset->count, 31);
    assert_int_equal(ruleset->rules[29].action, DENY);
    assert_int_equal(ruleset->rules[30].action, ALLOW);
    spill_rules_free(ruleset);
}

/* Files of the test's own, by path. */
static const char *const FOLDER[][2] = {
    {"/etc/shared.rules", "set inner = 10.0.0.0/8 2001:db8::/32\n\ndeny any from any to @inner\n"},
    {"/etc/more/first.rules", "include second.rules\nallow udp from any to any\n"},
    {"/etc/more/second.rules", "deny tcp from any to any\n"},
    {"/etc/bogons.txt", "# none of ours\n10.0.0.0/8\n\n 192.168.0.0/16 # inside\nfc00::/7"},
    {"/etc/bad.txt", "10.0.0.0/8\n10.0.0.1/8\n"},
    {"/etc/two.txt", "10.0.0.0/8 11.0.0.0/8\n"},
    {"/etc/empty.txt", "\n# nothing\n"},
    {"/etc/bad.rules", "\nallow tcp\n"},
    {"/etc/self.rules", "include self.rules\n"},
};

static unsigned open_files;

static int open_named(void *context, const char *path, struct spill_rule_file *file,
                      struct spill_error *error)
{
    assert_ptr_equal(context, FOLDER);
    for (size_t i = 0; i < sizeof(FOLDER) / sizeof(FOLDER[0]); i++)
        if (strcmp(FOLDER[i][0], path) == 0) {
            file->stream = fmemopen((void *)(uintptr_t)FOLDER[i][1], strlen(FOLDER[i][1]), "r");
            file->handle = &open_files;
            open_files++;
            return 0;
        }
    return spill_error_set(error, "%s: cannot be opened", path);
}

static void close_named(void *context, struct spill_rule_file *file, struct spill_error *error)
{
    (void)context;
    (void)error;
    assert_ptr_equal(file->handle, &open_files);
    fclose(file->stream);
    open_files--;
}

static struct spill_ruleset *read_folder(const char *text, struct spill_error *error)
{
    const struct spill_rule_files files = {open_named, close_named, (void *)(uintptr_t)FOLDER};
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct spill_ruleset *ruleset = spill_rules_read(file, "/etc/test.rules", &files, error);

    fclose(file);
    assert_int_equal(open_files, 0);
    return ruleset;
}

static void files_are_included_where_they_are_named(void **state)
{
    static const struct {
        const char *path;
        uint32_t line;
        uint8_t action;
    } expected[] = {{"/etc/test.rules", 1, ALLOW},
                    {"/etc/more/second.rules", 1, DENY},
                    {"/etc/more/first.rules", 2, ALLOW},
                    {"/etc/shared.rules", 3, DENY},
                    {"/etc/test.rules", 4, DENY}};
    struct spill_error error = {.text = ""};
    struct spill_ruleset *ruleset =
        read_folder("allow icmp from any to any\ninclude more/first.rules\n"
                    "include /etc/shared.rules\ndeny gre from @inner to any\n",
                    &error);

    (void)state;
    if (ruleset == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(ruleset->count, 5);
    for (unsigned i = 0; i < 5; i++) {
        const struct spill_rule *rule = &ruleset->rules[i];

        assert_string_equal(spill_rules_path(ruleset, rule), expected[i].path);
        assert_int_equal(rule->line, expected[i].line);
        assert_int_equal(rule->action, expected[i].action);
    }
    spill_rules_free(ruleset);
}

static void sets_have_prefixes_of_lines_and_files(void **state)
{
    struct spill_error error = {.text = ""};
    struct spill_ruleset *ruleset =
        read_folder("set one = 192.0.2.1\nset bogons = 172.16.0.0/12 file bogons.txt\nset none = "
                    "file empty.txt\n"
                    "deny any from @bogons to @one\nallow tcp from @none to any port 1\n"
                    "deny any from any to @bogons\n",
                    &error);
    static const struct {
        const char *prefix;
        uint8_t set;
    } expected[] = {{"192.0.2.1/32", 1},
                    {"172.16.0.0/12", 2},
                    {"10.0.0.0/8", 2},
                    {"192.168.0.0/16", 2},
                    {"fc00::/7", 2}};

    (void)state;
    if (ruleset == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(ruleset->set_count, 3);
    assert_int_equal(ruleset->prefix_count, 5);
    for (unsigned i = 0; i < 5; i++) {
        const struct spill_prefix *prefix = &ruleset->prefixes[i];
        char text[64], address[INET6_ADDRSTRLEN];

        inet_ntop(prefix->family == SPILL_RULE_IPV4 ? AF_INET : AF_INET6, prefix->address, address,
                  sizeof(address));
        snprintf(text, sizeof(text), "%s/%u", address, prefix->length);
        assert_string_equal(text, expected[i].prefix);
        assert_int_equal(prefix->set, expected[i].set);
    }
    assert_int_equal(ruleset->rules[0].set[0], 2);
    assert_int_equal(ruleset->rules[0].set[1], 1);
    assert_int_equal(ruleset->rules[0].families, SPILL_RULE_IPV4);
    assert_int_equal(ruleset->rules[1].set[0], 3);
    assert_int_equal(ruleset->rules[1].families, SPILL_RULE_IPV4 | SPILL_RULE_IPV6);
    assert_int_equal(ruleset->rules[2].families, SPILL_RULE_IPV4 | SPILL_RULE_IPV6);
    spill_rules_free(ruleset);
}

static void an_error_names_the_file_that_has_it(void **state)
{
    static const char *const wrong[][2] = {
        {"\ninclude bad.rules", "/etc/bad.rules:2: 'end of line': 'from' is expected here"},
        {"\ninclude none", "/etc/test.rules:2: /etc/none: cannot be opened"},
        {"set a = file bad.txt",
         "/etc/bad.txt:2: 10.0.0.1/8: host bits are set; 10.0.0.0/8 or 10.0.0.1/32"},
        {"set a = file two.txt", "/etc/two.txt:1: a file of prefixes has one a line"},
        {"set a = 10.0.0.1\nset a = 10.0.0.2",
         "/etc/test.rules:2: set a: there is one of that name"},
        {"set a = 10.0.0.1\nset b = ::1\ndeny any from @a to @b",
         "/etc/test.rules:3: @b has no IPv4 prefix, which the rule's other end wants"},
        {"set a = 10.0.0.1\ndeny any from ::1 to @a",
         "/etc/test.rules:2: @a has no IPv6 prefix, which the rule's other end wants"},
        {"include self.rules",
         "/etc/self.rules:1: self.rules: files within files, more than 8 deep"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct spill_error error = {.text = ""};

        assert_null(read_folder(wrong[i][0], &error));
        assert_string_equal(error.text, wrong[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(files_are_included_where_they_are_named),
        cmocka_unit_test(sets_have_prefixes_of_lines_and_files),
        cmocka_unit_test(an_error_names_the_file_that_has_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
