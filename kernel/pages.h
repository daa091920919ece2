/* Pages of relations against the checksums in them. parsers/files/data_page.py has the words. */
#ifndef PITR_PAGES_H
#define PITR_PAGES_H

#include <stddef.h>
#include <stdint.h>

struct pages_seen {
    uint64_t checked, fresh, newer; /* see PagesSeen */
    size_t damaged, headless;       /* entries of the lists */
};

/* What is wrong with `count` pages of `size` bytes, a power of two from 1024 to 32768.
 *
 * blocks[n] is the number of page n in the fork; without `blocks` it is first + n. Pages whose LSN
 * is from `start` to `end` are newer. The lists get the rows; each has room for `count`.
 */
void pages_see(struct pages_seen *, const uint8_t *pages, size_t count, size_t size,
               const int64_t *blocks, int64_t first, uint64_t start, uint64_t end,
               uint32_t *damaged, uint32_t *headless);

/* pg_checksum_page of src/include/storage/checksum_impl.h; the best way for this processor. */
uint16_t pages_checksum(const uint8_t *page, size_t size, uint32_t block);

void pages_prepare(int portable); /* first; 1: without the processor's wide instructions */

#endif
