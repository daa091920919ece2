/* Mutated pages through the walk, under the sanitizers; `make fuzz` builds and runs it.
 *
 *     fuzz SECONDS SEED LAST_INPUT FILE...
 *
 * Each FILE holds whole pages. With SECONDS 0 each is walked once, as it is. Every input is in
 * LAST_INPUT (its length in 8 bytes, then the pages) before it is walked, so that it is still there
 * after a crash. Each piece that is fed is an allocation of its own: a byte read beyond it is a
 * report. Both ways to compute a checksum must come to the same end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "crc.h"
#include "pages.h"
#include "walk.h"

enum { MOST_BYTES = 1 << 20, MOST_FILES = 4096 };

struct input {
    uint64_t size;
    uint8_t data[MOST_BYTES];
};

static uint64_t chance_state;

static uint64_t chance(uint64_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state % below;
}

static uint32_t plain_crc(uint32_t state, const uint8_t *at, size_t size)
{
    while (size--)
        state = state >> 8 ^ crc_tables.byte[0][(state ^ *at++) & 0xFF];
    return state;
}

/* -- settings, as Python gives them ------------------------------------------------------------ */

static uint32_t page_size_of(const struct input *input)
{
    uint32_t size = input->size >= 40 ? load32(input->data + 36) : 0;
    return size >= 1024 && size <= 65536 && !(size & (size - 1)) ? size : 8192;
}

static void set_up(struct settings *set, const struct input *input)
{
    static const uint8_t noted[] = {2, 4, 5, 8, 10};
    static const uint32_t catalogs[] = {1259, 1262, 2615, 70000};
    set->page_size = page_size_of(input);
    set->magic = load16(input->data);
    set->known_flags = 0x000F;
    set->overwrite_flag = 0x0008;
    set->name_timeline = 8;
    set->start_lsn = load64(input->data + 8);
    if (set->dropped_stats_bytes) /* its table is made */
        return;
    set->dropped_stats_bytes = 16;
    set->packed_image_flags = 0x1C;
    set->keeps_journal = 1;
    set->catalogs = sizeof catalogs / sizeof *catalogs;
    memcpy(set->catalog_files, catalogs, sizeof catalogs);
    for (int rmgr = 0; rmgr < 256; rmgr++)
        for (int info = 0; info < 256; info++) {
            uint8_t kind = rmgr < 22 || rmgr >= 128 ? DULL : UNKNOWN;
            if (rmgr == 0 && (info & 0xF0) == 0x40)
                kind = SWITCH;
            else if (rmgr == 0 || (rmgr < 22 && memchr(noted, rmgr, sizeof noted)))
                kind = NOTED;
            else if (rmgr == 1)
                kind = info & 0x10 ? NOTED : (uint8_t)(TRANSACTION + (info >> 5 & 3));
            set->kinds[rmgr << 8 | info] = kind;
        }
}

/* -- mutations --------------------------------------------------------------------------------- */

/* Call something of every record that lies whole in a page. */
static void each_record(struct input *input, uint64_t page,
                        void (*call)(uint8_t *record, uint32_t total))
{
    uint32_t page_size = page_size_of(input), at = page ? 24 : 40;
    if (load16(input->data + page + 2) & 1)
        at += (load32(input->data + page + 16) % page_size + 7) & ~7U;
    while (at + 24 <= page_size) {
        uint8_t *record = input->data + page + at;
        uint32_t total = load32(record);
        if (total < 24 || total > page_size - at)
            return;
        call(record, total);
        at += (total + 7) & ~7U;
    }
}

static void mend_record(uint8_t *record, uint32_t total)
{
    uint32_t crc = ~plain_crc(plain_crc(0xFFFFFFFF, record + 24, total - 24), record, 20);
    memcpy(record + 20, &crc, 4);
}

/* Make the checksums hold. */
static void mend(struct input *input)
{
    uint32_t page_size = page_size_of(input);
    for (uint64_t page = 0; page + page_size <= input->size; page += page_size)
        each_record(input, page, mend_record);
}

/* Put a number where lengths, flags and counts lie in a record, rarely. */
static void change_record(uint8_t *record, uint32_t total)
{
    uint32_t value = (uint32_t)(chance(2) ? chance(0x200) : chance(1ULL << 32));
    uint64_t at = chance(2) ? 24 + chance(64) : chance(20);
    if (!chance(30) && at + 4 <= total)
        memcpy(record + at, &value, at < 20 ? 1 : 1 + chance(4));
}

static void mutate(struct input *input)
{
    for (uint64_t times = 1 + chance(6); times--;) {
        uint64_t at = chance(input->size);
        switch (chance(8)) {
        case 0:
            input->data[at] ^= (uint8_t)(1 << chance(8));
            break;
        case 1:
            input->data[at] = (uint8_t)chance(256);
            break;
        case 2: { /* a number where lengths and counts lie */
            uint32_t value = (uint32_t)(chance(2) ? chance(40000) : chance(1ULL << 32));
            at &= chance(2) ? ~7ULL : ~1ULL; /* main data is aligned to nothing */
            if (at + 4 <= input->size)
                memcpy(input->data + at, &value, 4);
            break;
        }
        case 3: { /* bytes from elsewhere */
            uint64_t from = chance(input->size), size = chance(200);
            if (from + size <= input->size && at + size <= input->size)
                memmove(input->data + at, input->data + from, size);
            break;
        }
        case 4:
            memset(input->data + (at & ~7ULL), chance(2) ? 0 : 0xFF, 8);
            break;
        case 5: /* of a page's header */
            at -= at % page_size_of(input);
            if (at + 24 <= input->size)
                input->data[at + chance(24)] ^= (uint8_t)(1 << chance(8));
            break;
        case 6: { /* other pages in another order */
            uint32_t size = page_size_of(input);
            if (size > input->size)
                break;
            uint64_t from = chance(input->size / size) * size, to = chance(input->size / size);
            memmove(input->data + to * size, input->data + from, size);
            break;
        }
        default:
            at -= at % page_size_of(input);
            if (at + page_size_of(input) <= input->size)
                each_record(input, at, change_record);
        }
    }
    if (chance(4))
        mend(input);
}

/* -- walking ----------------------------------------------------------------------------------- */

static void walk_once(struct walk *walk, const struct input *input, uint64_t pages_at_once)
{
    set_up(&walk->set, input);
    walk_begin(walk);
    uint64_t page_size = walk->set.page_size, step = pages_at_once * page_size;
    for (uint64_t at = 0; at + page_size <= input->size; at += step) {
        uint64_t size = input->size - at < step ? input->size - at : step;
        size -= size % page_size;
        uint8_t *piece = malloc(size);
        memcpy(piece, input->data + at, size);
        walk_feed(walk, piece, size / page_size);
        free(piece);
    }
}

static int are_equal(const struct column *a, const struct column *b)
{
    return a->used == b->used && (!a->used || !memcmp(a->data, b->data, a->used));
}

/* Every transaction once, by ascending xid, and every record counted. */
static void check_usage(struct walk *walk)
{
    size_t rows = walk->journal.usage.used / sizeof(struct usage);
    const struct usage *usage = (const struct usage *)(const void *)walk->journal.usage.data;
    const uint32_t *order = usage_order(walk);
    uint64_t records = 0;
    for (size_t n = 0; order && n < rows; n++) {
        records += usage[order[n]].records;
        if (n && usage[order[n - 1]].xid >= usage[order[n]].xid)
            abort();
    }
    if (walk->stop != ODD && records != walk->count) {
        fprintf(stderr, "the journal has other records than the walk\n");
        abort();
    }
}

static void walk_all_ways(struct walk walks[2], const struct input *input)
{
    walk_prepare(0);
    walk_once(&walks[0], input, 1 + chance(4));
    walk_prepare(1);
    walk_once(&walks[1], input, 1 + chance(4));
    const struct walk *a = &walks[0], *b = &walks[1];
    if (a->stop != b->stop || a->count != b->count || a->end_lsn != b->end_lsn ||
        !are_equal(&a->outcomes, &b->outcomes) || !are_equal(&a->noted, &b->noted) ||
        !are_equal(&a->journal.usage, &b->journal.usage) ||
        !are_equal(&a->journal.notes, &b->journal.notes) ||
        !are_equal(&a->journal.noted, &b->journal.noted)) {
        fprintf(stderr, "the two ways to compute a checksum come to different ends\n");
        abort();
    }
    check_usage(&walks[0]);
}

/* The same bytes as pages of a relation: both ways must see the same. */
static void see_both_ways(const struct input *input)
{
    uint64_t size = 1024ull << chance(6), count = input->size / size, start = chance(1 << 20);
    int64_t first = (int64_t)chance(1ull << 33);
    uint32_t *rows[2];
    struct pages_seen seen[2];
    uint8_t *pages = malloc(count * size + 1);
    int64_t *blocks = malloc(count * sizeof *blocks + 1);
    memcpy(pages, input->data, count * size);
    for (uint64_t n = 0; n < count; n++) {
        blocks[n] = first + (int64_t)n;
        if (chance(2)) { /* what is noise is hardly ever sound */
            uint16_t sum = pages_checksum(pages + n * size, size, (uint32_t)blocks[n]);
            memcpy(pages + n * size + 8, &sum, sizeof sum);
        }
    }
    for (int way = 0; way < 2; way++) {
        pages_prepare(way);
        rows[way] = malloc((2 * count + 1) * sizeof **rows);
        pages_see(&seen[way], pages, count, size, way ? blocks : NULL, first, start, start + 999,
                  rows[way], rows[way] + count);
    }
    if (memcmp(&seen[0], &seen[1], sizeof *seen) ||
        memcmp(rows[0], rows[1], seen[0].damaged * sizeof **rows) ||
        memcmp(rows[0] + count, rows[1] + count, seen[0].headless * sizeof **rows)) {
        fprintf(stderr, "the two ways to sum a page up see different things\n");
        abort();
    }
    free(rows[0]);
    free(rows[1]);
    free(blocks);
    free(pages);
}

static struct input *map_last_input(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, sizeof(struct input)))
        return NULL;
    void *mapped = mmap(NULL, sizeof(struct input), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static int read_file(struct input *input, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    input->size = fread(input->data, 1, sizeof input->data, file);
    fclose(file);
    return input->size >= page_size_of(input);
}

int main(int argc, char **argv)
{
    static struct walk walks[2];
    uint64_t runs = 0, accepted = 0, files = 0;
    if (argc < 5)
        return fprintf(stderr, "usage: fuzz SECONDS SEED LAST_INPUT FILE...\n"), 64;
    time_t until = time(NULL) + atol(argv[1]);
    chance_state = strtoull(argv[2], NULL, 10) * 2 + 1;
    struct input *input = map_last_input(argv[3]);
    struct input **bases = calloc(MOST_FILES, sizeof *bases);
    if (!input || !bases)
        return perror(argv[3]), 1;
    walk_prepare(0);
    for (int n = 4; n < argc && files < MOST_FILES; n++) {
        bases[files] = malloc(sizeof **bases);
        if (bases[files] && read_file(bases[files], argv[n]))
            files++;
    }
    if (!files)
        return fprintf(stderr, "none of the files has a page\n"), 1;
    for (; runs < files || time(NULL) < until; runs++) {
        const struct input *base = bases[runs < files ? runs : chance(files)];
        memcpy(input, base, sizeof base->size + base->size);
        if (runs >= files)
            mutate(input);
        walk_all_ways(walks, input);
        see_both_ways(input);
        accepted += walks[0].count;
    }
    printf("%llu inputs, %llu records accepted, no report\n", (unsigned long long)runs,
           (unsigned long long)accepted);
    walk_free(&walks[0]);
    walk_free(&walks[1]);
    for (uint64_t n = 0; n < files; n++)
        free(bases[n]);
    free(bases);
    return 0;
}
