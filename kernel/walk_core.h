/* The part of the walk that computes checksums: included once for each way to do that.
 *
 * CRC_NAME(x): a name of this variant; CRC_TARGET: the function attribute that its instructions
 * want; CRC_WORD, CRC_HALF, CRC_BYTE (state, value): take in 8, 4, 1 bytes.
 */

CRC_TARGET static uint32_t CRC_NAME(three_streams)(uint32_t state, const uint8_t *at,
                                                   unsigned stride, const uint32_t table[4][256])
{
    uint64_t first = state, second = 0, third = 0;
    for (unsigned n = 0; n < stride; n += 8) {
        first = CRC_WORD(first, load64(at + n));
        second = CRC_WORD(second, load64(at + stride + n));
        third = CRC_WORD(third, load64(at + 2 * stride + n));
    }
    return crc_shift(table, crc_shift(table, (uint32_t)first) ^ (uint32_t)second) ^ (uint32_t)third;
}

/* Continue a checksum. */
CRC_TARGET static uint32_t CRC_NAME(extend)(uint32_t state, const uint8_t *at, size_t size)
{
    for (; size >= 3 * LONG_STRIDE; at += 3 * LONG_STRIDE, size -= 3 * LONG_STRIDE)
        state = CRC_NAME(three_streams)(state, at, LONG_STRIDE, crc_tables.after_long);
    for (; size >= 3 * SHORT_STRIDE; at += 3 * SHORT_STRIDE, size -= 3 * SHORT_STRIDE)
        state = CRC_NAME(three_streams)(state, at, SHORT_STRIDE, crc_tables.after_short);
    for (; size >= 8; at += 8, size -= 8)
        state = (uint32_t)CRC_WORD(state, load64(at));
    for (; size; at++, size--)
        state = CRC_BYTE(state, *at);
    return state;
}

CRC_TARGET static inline uint32_t CRC_NAME(finish)(uint32_t state, const uint8_t *header)
{
    state = (uint32_t)CRC_WORD(state, load64(header));
    state = (uint32_t)CRC_WORD(state, load64(header + 8));
    return CRC_HALF(state, load32(header + 16));
}

/* The checksum of a whole record: of its body, then of its header.
 *
 * A short body is taken in without branching on its odd bytes. The checksum is linear: that of
 * all ones and the bytes is that of zero and the bytes, plus that of all ones and as many zeros.
 * To a state of zero leading zeros do nothing, so the odd bytes go first, in a word of their own.
 */
CRC_TARGET static inline uint32_t CRC_NAME(record_crc)(const uint8_t *record, uint32_t total)
{
    const uint8_t *body = record + RECORD_HEADER;
    uint32_t size = total - RECORD_HEADER;
    if (size > SHORT_BODY)
        return ~CRC_NAME(finish)(CRC_NAME(extend)(0xFFFFFFFF, body, size), record);
    unsigned odd = size & 7;
    const uint8_t *at = body + odd, *end = body + size;
    uint64_t state = CRC_WORD(0, load64(at - 8) & high_bytes[odd]); /* at - 8: in the header */
    for (; at < end; at += 8)
        state = CRC_WORD(state, load64(at));
    return ~(CRC_NAME(finish)((uint32_t)state, record) ^ crc_tables.zeros[size + CHECKED_HEADER]);
}

/* Take in a piece of the record that runs over a page's end. */
CRC_TARGET static void CRC_NAME(take_piece)(struct walk *walk, const uint8_t *data, uint32_t size)
{
    walk->left -= size;
    if (walk->in_head) {
        if (walk->head_bytes <= MAX_NOTED)
            column_append(walk, &walk->head, data, size);
        return;
    }
    if (walk->total <= MAX_NOTED)
        column_append(walk, &walk->kept, data, size);
    if (walk->header_bytes < RECORD_HEADER) {
        uint32_t part = RECORD_HEADER - walk->header_bytes;
        part = part < size ? part : size;
        memcpy(walk->header + walk->header_bytes, data, part);
        walk->header_bytes += part;
        data += part, size -= part;
        if (walk->header_bytes < RECORD_HEADER)
            return;
        if (!accept_split_header(walk))
            return;
    }
    walk->crc = CRC_NAME(extend)(walk->crc, data, size);
}

CRC_TARGET static void CRC_NAME(run)(struct walk *walk, const uint8_t *pages, size_t count)
{
    const uint32_t page_size = walk->set.page_size;
    for (; count; count--, pages += page_size, walk->page++) {
        const uint64_t page_offset = (uint64_t)walk->page * page_size;
        if (!accept_page(walk, pages, page_offset))
            return;
        if (walk->stop == SWITCHED)
            continue;
        uint32_t at = walk->page ? SHORT_PAGE_HEADER : LONG_PAGE_HEADER;
        if (walk->left) {
            uint32_t room = page_size - at, size = walk->left < room ? walk->left : room;
            CRC_NAME(take_piece)(walk, pages + at, size);
            if (walk->stop)
                return;
            if (walk->left)
                continue;
            at += (size + 7) & ~7U;
            if (walk->in_head)
                walk->in_head = 0;
            else if (~CRC_NAME(finish)(walk->crc, walk->header) != load32(walk->header + 20))
                walk->stop = ODD;
            else
                complete_split(walk, page_offset + at);
            if (has_failed(walk))
                return;
            if (walk->stop == SWITCHED)
                continue;
        }
        const uint64_t page_lsn = walk->set.start_lsn + page_offset;
        uint64_t previous = walk->previous_lsn;
        while (at < page_size) {
            const uint8_t *record = pages + at;
            const uint32_t total = load32(record), room = page_size - at;
            if (total > room || total < RECORD_HEADER)
                break;
            const uint8_t info = record[16], rmgr = record[17];
            const uint8_t kind = walk->set.kinds[rmgr << 8 | info];
            if (load64(record + 8) != previous && !is_first_prev(walk, record, page_lsn + at))
                goto odd;
            if (CRC_NAME(record_crc)(record, total) != load32(record + 20))
                goto odd;
            previous = page_lsn + at;
            at += (total + 7) & ~7U;
            if (kind != DULL) {
                walk->previous_lsn = previous;
                take_record(walk, record, total, kind, previous, page_lsn + at);
                if (has_failed(walk))
                    return;
            }
            walk->count++;
            walk->by_rmgr[rmgr].records++;
            walk->by_rmgr[rmgr].bytes += total;
            walk->end_lsn = page_lsn + at;
            if (walk->set.keeps_journal) {
                journal_take(walk, record, total, previous, page_lsn + at);
                if (has_failed(walk))
                    return;
            }
            if (walk->stop == SWITCHED)
                break;
        }
        walk->previous_lsn = previous;
        if (walk->stop == SWITCHED || at >= page_size)
            continue;
        if (load32(pages + at) < RECORD_HEADER) {
            walk->stop = STOPPED;
            walk->stop_offset = page_offset + at;
            return;
        }
        begin_split(walk, load32(pages + at), page_offset + at);
        if (walk->stop)
            return;
        CRC_NAME(take_piece)(walk, pages + at, page_size - at);
        if (walk->stop)
            return;
    }
    return;
odd:
    walk->stop = ODD;
}

#undef CRC_NAME
#undef CRC_TARGET
#undef CRC_WORD
#undef CRC_HALF
#undef CRC_BYTE
