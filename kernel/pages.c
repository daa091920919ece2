/* See pages.h. The sum has 32 columns that know nothing of each other: eight to a wide register.
 *
 * The loop is written once and compiled twice. SSE 2, which every x86-64 has, has no multiplication
 * of four words: AVX 2 does it four times as fast. As arrays, the sums would go through memory in
 * each turn, which takes longer than the turn: they are four vectors, in registers.
 */
#include "pages.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

#define COLUMNS 32
#define PRIME 16777619u

/* Eight words: one register of AVX 2, two of SSE 2 or NEON. */
typedef uint32_t words __attribute__((vector_size(32)));

static const uint32_t base_offsets[COLUMNS] = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
};

#define LOAD(row, at) memcpy(&(row), (at), sizeof(row))
#define MIX(sum, row) (mixed = (sum) ^ (row), (sum) = mixed * PRIME ^ mixed >> 17)
#define LOAD_AND_MIX(sum, at) (LOAD(row, at), MIX(sum, row))

/* The page's own checksum counts as zero: the third word of the first row without its low half. */
#define SUM_BODY                                                                                   \
    const words none = {0}, first = {~0u, ~0u, 0xFFFF0000u, ~0u, ~0u, ~0u, ~0u, ~0u};              \
    words one, two, three, four, row, mixed;                                                       \
    LOAD(one, base_offsets), LOAD(two, base_offsets + 8);                                          \
    LOAD(three, base_offsets + 16), LOAD(four, base_offsets + 24);                                 \
    LOAD(row, page);                                                                               \
    row &= first;                                                                                  \
    for (const uint8_t *end = page + size;;) {                                                     \
        MIX(one, row);                                                                             \
        LOAD_AND_MIX(two, page + 32);                                                              \
        LOAD_AND_MIX(three, page + 64);                                                            \
        LOAD_AND_MIX(four, page + 96);                                                             \
        page += 128;                                                                               \
        if (page == end)                                                                           \
            break;                                                                                 \
        LOAD(row, page);                                                                           \
    }                                                                                              \
    for (int round = 0; round < 2; round++)                                                        \
        MIX(one, none), MIX(two, none), MIX(three, none), MIX(four, none);                         \
    words folded = one ^ two ^ three ^ four;                                                       \
    return folded[0] ^ folded[1] ^ folded[2] ^ folded[3] ^ folded[4] ^ folded[5] ^ folded[6] ^     \
           folded[7];

static uint32_t sum_plain(const uint8_t *page, size_t size)
{
    SUM_BODY
}

static uint32_t (*sum_page)(const uint8_t *, size_t) = sum_plain;

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx2"))) static uint32_t sum_avx2(const uint8_t *page, size_t size)
{
    SUM_BODY
}

/* Not __builtin_cpu_supports: under `zig cc` it compiles, and answers 0. */
static int has_avx2(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1) || !(c >> 28 & 1)) /* OSXSAVE, AVX */
        return 0;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 5 & 1);
}
#endif

void pages_prepare(int portable)
{
    sum_page = sum_plain;
#if defined(__x86_64__) && defined(__GNUC__)
    if (!portable && has_avx2())
        sum_page = sum_avx2;
#else
    (void)portable;
#endif
}

uint16_t pages_checksum(const uint8_t *page, size_t size, uint32_t block)
{
    return (uint16_t)((sum_page(page, size) ^ block) % 65535 + 1);
}

static int is_zero(const uint8_t *page, size_t size)
{
    return !page[0] && !memcmp(page, page + 1, size - 1);
}

static uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint16_t load16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

void pages_see(struct pages_seen *seen, const uint8_t *pages, size_t count, size_t size,
               const int64_t *blocks, int64_t first, uint64_t start, uint64_t end,
               uint32_t *damaged, uint32_t *headless)
{
    memset(seen, 0, sizeof *seen);
    for (size_t n = 0; n < count; n++) {
        const uint8_t *page = pages + n * size;
        uint64_t lsn = (uint64_t)load32(page) << 32 | load32(page + 4);
        if (!load16(page + 14)) { /* pd_upper: PageIsNew */
            if (is_zero(page, size))
                seen->fresh++;
            else
                headless[seen->headless++] = (uint32_t)n;
        } else if (start <= lsn && lsn <= end) {
            seen->newer++;
        } else {
            uint32_t block = (uint32_t)(blocks ? blocks[n] : first + (int64_t)n);
            seen->checked++;
            if (pages_checksum(page, size, block) != load16(page + 8))
                damaged[seen->damaged++] = (uint32_t)n;
        }
    }
}
