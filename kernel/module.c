/* The walk as a Python type, for one binary that serves every Python from 3.11 on.
 *
 *     walk = Walk()
 *     walk.begin(kinds, start_lsn, page_size, magic, known_flags, overwrite_flag, timeline, bytes,
 *                packed_image_flags, catalogs or None)
 *     while pages := file.read(...):
 *         if not walk.feed(pages): break
 *     walk.result(), walk.fill(lsns, end_lsns, times, xids, kinds)
 *     walk.changes(), walk.fill_usage(xids, records, bytes, first_lsns)
 *
 * feed() runs without the GIL. A walk belongs to one thread at a time; another is refused.
 */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "pages_module.h"
#include "walk.h"

#define INTERFACE 5 /* what parsers/wal/kernel.py expects; a change of either side raises it */

#ifndef PITR_KERNEL_SOURCE
#define PITR_KERNEL_SOURCE "unknown" /* a digest of these files; build_hook.py gives it */
#endif

typedef struct {
    PyObject_HEAD
    struct walk *walk;
    int is_begun, is_busy;
} WalkObject;

static PyObject *walk_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_Size(args) || (kwargs && PyDict_Size(kwargs))) {
        PyErr_SetString(PyExc_TypeError, "Walk() takes no arguments");
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    WalkObject *self = (WalkObject *)allocate(type, 0);
    if (!self)
        return NULL;
    self->walk = calloc(1, sizeof *self->walk);
    if (!self->walk) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void walk_dealloc(PyObject *object)
{
    WalkObject *self = (WalkObject *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->walk)
        walk_free(self->walk);
    free(self->walk);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static int refuse_if_busy(const WalkObject *self)
{
    if (self->is_busy)
        PyErr_SetString(PyExc_RuntimeError, "another thread is using this walk");
    return self->is_busy;
}

/* The file numbers of catalogs, as bytes; None: no journal is kept. */
static int take_catalogs(struct settings *set, PyObject *files)
{
    Py_buffer numbers;
    set->keeps_journal = files != Py_None;
    set->catalogs = 0;
    if (!set->keeps_journal)
        return 1;
    if (PyObject_GetBuffer(files, &numbers, PyBUF_SIMPLE))
        return 0;
    int fits = (size_t)numbers.len <= sizeof set->catalog_files &&
               !(numbers.len % (Py_ssize_t)sizeof *set->catalog_files);
    if (fits) {
        memcpy(set->catalog_files, numbers.buf, (size_t)numbers.len);
        set->catalogs = (uint32_t)((size_t)numbers.len / sizeof *set->catalog_files);
    } else {
        PyErr_SetString(PyExc_ValueError, "a few file numbers of four bytes");
    }
    PyBuffer_Release(&numbers);
    return fits;
}

static PyObject *begin(PyObject *object, PyObject *args)
{
    WalkObject *self = (WalkObject *)object;
    struct settings *set = &self->walk->set;
    Py_buffer kinds;
    unsigned long long start_lsn;
    unsigned int page_size, magic, known, overwrite, timeline, stats, packed;
    PyObject *catalogs;
    if (refuse_if_busy(self))
        return NULL;
    if (!PyArg_ParseTuple(args, "y*KIIIIIIIO", &kinds, &start_lsn, &page_size, &magic, &known,
                          &overwrite, &timeline, &stats, &packed, &catalogs))
        return NULL;
    self->is_begun = 0;
    if (kinds.len != sizeof set->kinds || page_size < 1024 || page_size > 65536 ||
        page_size & (page_size - 1)) {
        PyBuffer_Release(&kinds);
        PyErr_SetString(PyExc_ValueError, "a table of 65,536 kinds and a legal page size");
        return NULL;
    }
    memcpy(set->kinds, kinds.buf, sizeof set->kinds);
    PyBuffer_Release(&kinds);
    if (!take_catalogs(set, catalogs))
        return NULL;
    set->start_lsn = start_lsn;
    set->page_size = page_size;
    set->magic = (uint16_t)magic;
    set->known_flags = (uint16_t)known;
    set->overwrite_flag = (uint16_t)overwrite;
    set->name_timeline = timeline;
    set->dropped_stats_bytes = (uint16_t)stats;
    set->packed_image_flags = (uint8_t)packed;
    walk_begin(self->walk);
    self->is_begun = 1;
    Py_RETURN_NONE;
}

static PyObject *feed(PyObject *object, PyObject *pages)
{
    WalkObject *self = (WalkObject *)object;
    Py_buffer buffer;
    if (refuse_if_busy(self))
        return NULL;
    if (!self->is_begun) {
        PyErr_SetString(PyExc_RuntimeError, "begin() comes before feed()");
        return NULL;
    }
    if (PyObject_GetBuffer(pages, &buffer, PyBUF_SIMPLE))
        return NULL;
    size_t count = (size_t)buffer.len / self->walk->set.page_size;
    if (count * self->walk->set.page_size != (size_t)buffer.len) {
        PyBuffer_Release(&buffer);
        PyErr_SetString(PyExc_ValueError, "whole pages are fed");
        return NULL;
    }
    self->is_busy = 1;
    Py_BEGIN_ALLOW_THREADS
    walk_feed(self->walk, buffer.buf, count);
    Py_END_ALLOW_THREADS
    self->is_busy = 0;
    PyBuffer_Release(&buffer);
    return PyBool_FromLong(!self->walk->is_over);
}

static PyObject *bytes_of(const struct column *column)
{
    return PyBytes_FromStringAndSize((const char *)column->data, (Py_ssize_t)column->used);
}

/* [(rmgr, records, bytes)] of the resource managers that have any. */
static PyObject *counts_of(const struct walk *walk)
{
    PyObject *list = PyList_New(0);
    for (int rmgr = 0; list && rmgr < 256; rmgr++) {
        if (!walk->by_rmgr[rmgr].records)
            continue;
        PyObject *item = Py_BuildValue("iKK", rmgr,
                                       (unsigned long long)walk->by_rmgr[rmgr].records,
                                       (unsigned long long)walk->by_rmgr[rmgr].bytes);
        if (!item || PyList_Append(list, item))
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* [(row, lsn, end_lsn, xid, rmgr, info, bytes)] of the records that Python decodes. */
static PyObject *notes_of(const struct column *notes, const struct column *noted)
{
    const struct note *note = (const struct note *)(const void *)notes->data;
    size_t count = notes->used / sizeof *note;
    const char *bytes = (const char *)noted->data;
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t n = 0; list && n < count; bytes += note[n++].length) {
        PyObject *item =
            Py_BuildValue("KKKIiiy#", (unsigned long long)note[n].row,
                          (unsigned long long)note[n].lsn, (unsigned long long)note[n].end_lsn,
                          (unsigned int)note[n].xid, note[n].rmgr, note[n].info, bytes,
                          (Py_ssize_t)note[n].length);
        if (!item || PyList_SetItem(list, (Py_ssize_t)n, item))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *result(PyObject *object, PyObject *unused)
{
    WalkObject *self = (WalkObject *)object;
    const struct walk *walk = self->walk;
    (void)unused;
    if (refuse_if_busy(self))
        return NULL;
    if (!self->is_begun) {
        PyErr_SetString(PyExc_RuntimeError, "begin() comes before result()");
        return NULL;
    }
    return Py_BuildValue(
        "iIIKIIKKKKKiNKNNN", (int)walk->stop, (unsigned int)walk->page,
        (unsigned int)walk->timeline, (unsigned long long)walk->stop_offset,
        (unsigned int)walk->head_bytes, (unsigned int)walk->left,
        (unsigned long long)walk->record_offset, (unsigned long long)walk->first_lsn,
        (unsigned long long)walk->previous_lsn, (unsigned long long)walk->end_lsn,
        (unsigned long long)walk->first_prev_lsn, walk->has_first && walk->count,
        counts_of(walk), (unsigned long long)(walk->outcomes.used / sizeof(struct outcome)),
        notes_of(&walk->notes, &walk->noted), bytes_of(&walk->head), bytes_of(&walk->kept));
}

static size_t usage_rows(const struct walk *walk)
{
    return walk->journal.usage.used / sizeof(struct usage);
}

/* (how many transactions wrote something, the notes of records that may change a catalog). */
static PyObject *changes(PyObject *object, PyObject *unused)
{
    const struct walk *walk = ((WalkObject *)object)->walk;
    (void)unused;
    if (refuse_if_busy((WalkObject *)object))
        return NULL;
    return Py_BuildValue("KN", (unsigned long long)usage_rows(walk),
                         notes_of(&walk->journal.notes, &walk->journal.noted));
}

static int has_size(const Py_buffer *column, size_t count, size_t size)
{
    return (size_t)column->len == count * size;
}

static PyObject *fill(PyObject *object, PyObject *args)
{
    WalkObject *self = (WalkObject *)object;
    Py_buffer lsns, end_lsns, times, xids, kinds;
    if (refuse_if_busy(self))
        return NULL;
    if (!PyArg_ParseTuple(args, "w*w*w*w*w*", &lsns, &end_lsns, &times, &xids, &kinds))
        return NULL;
    const struct outcome *outcome = (const struct outcome *)(const void *)self->walk->outcomes.data;
    size_t count = self->walk->outcomes.used / sizeof *outcome;
    int fits = has_size(&lsns, count, 8) && has_size(&end_lsns, count, 8) &&
               has_size(&times, count, 8) && has_size(&xids, count, 4) &&
               has_size(&kinds, count, 1);
    for (size_t n = 0; fits && n < count; n++, outcome++) {
        memcpy((char *)lsns.buf + 8 * n, &outcome->lsn, 8);
        memcpy((char *)end_lsns.buf + 8 * n, &outcome->end_lsn, 8);
        memcpy((char *)times.buf + 8 * n, &outcome->time, 8);
        memcpy((char *)xids.buf + 4 * n, &outcome->xid, 4);
        ((char *)kinds.buf)[n] = (char)outcome->kind;
    }
    PyBuffer_Release(&lsns);
    PyBuffer_Release(&end_lsns);
    PyBuffer_Release(&times);
    PyBuffer_Release(&xids);
    PyBuffer_Release(&kinds);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "columns with a row for each transaction");
        return NULL;
    }
    Py_RETURN_NONE;
}

/* By ascending xid. */
static PyObject *fill_usage(PyObject *object, PyObject *args)
{
    WalkObject *self = (WalkObject *)object;
    Py_buffer xids, records, bytes, first_lsns;
    if (refuse_if_busy(self))
        return NULL;
    if (!PyArg_ParseTuple(args, "w*w*w*w*", &xids, &records, &bytes, &first_lsns))
        return NULL;
    const struct usage *usage = (const struct usage *)(const void *)self->walk->journal.usage.data;
    size_t count = usage_rows(self->walk);
    int fits = has_size(&xids, count, 4) && has_size(&records, count, 8) &&
               has_size(&bytes, count, 8) && has_size(&first_lsns, count, 8);
    const uint32_t *order = fits ? usage_order(self->walk) : NULL;
    for (size_t n = 0; order && n < count; n++) {
        const struct usage *row = usage + order[n];
        memcpy((char *)xids.buf + 4 * n, &row->xid, 4);
        memcpy((char *)records.buf + 8 * n, &row->records, 8);
        memcpy((char *)bytes.buf + 8 * n, &row->bytes, 8);
        memcpy((char *)first_lsns.buf + 8 * n, &row->first_lsn, 8);
    }
    PyBuffer_Release(&xids);
    PyBuffer_Release(&records);
    PyBuffer_Release(&bytes);
    PyBuffer_Release(&first_lsns);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "columns with a row for each transaction");
        return NULL;
    }
    if (!order)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef walk_methods[] = {
    {"begin", begin, METH_VARARGS, "Start on a segment."},
    {"feed", feed, METH_O, "Walk over the next pages; False once more of them change nothing."},
    {"result", result, METH_NOARGS, "What was read; see parsers/wal/kernel.py for the fields."},
    {"fill", fill, METH_VARARGS, "Write lsns, end_lsns, times, xids and kinds of transactions."},
    {"changes", changes, METH_NOARGS, "Of the journal; see parsers/wal/kernel.py."},
    {"fill_usage", fill_usage, METH_VARARGS, "Write xids, records, bytes and first_lsns of it."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot walk_slots[] = {
    {Py_tp_doc, "The records of one segment, walked and checked."},
    {Py_tp_new, walk_new},
    {Py_tp_dealloc, walk_dealloc},
    {Py_tp_methods, walk_methods},
    {0, NULL},
};

static PyType_Spec walk_spec = {
    .name = "pitr_kernel.Walk",
    .basicsize = sizeof(WalkObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = walk_slots,
};

/* For tests: the way for processors without instructions for CRC-32C, or the best one. */
static PyObject *use_portable(PyObject *module, PyObject *is_portable)
{
    int portable = PyObject_IsTrue(is_portable);
    if (portable < 0)
        return NULL;
    walk_prepare(portable);
    pages_prepare(portable);
    if (PyModule_AddStringConstant(module, "CRC", walk_crc_name))
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"see_pages", pages_module_see, METH_VARARGS,
     "(content, page size, first block, blocks or None, start LSN, end LSN) -> see PagesSeen."},
    {"use_portable", use_portable, METH_O, "For tests: do without the processor's instructions."},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module)
{
    walk_prepare(0);
    pages_prepare(0);
    PyObject *type = PyType_FromSpec(&walk_spec);
    if (!type || PyModule_AddObject(module, "Walk", type)) {
        Py_XDECREF(type);
        return -1;
    }
    if (PyModule_AddIntConstant(module, "INTERFACE", INTERFACE))
        return -1;
    if (PyModule_AddStringConstant(module, "SOURCE", PITR_KERNEL_SOURCE))
        return -1;
    return PyModule_AddStringConstant(module, "CRC", walk_crc_name);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pitr_kernel",
    .m_doc = "Walks the records of a WAL segment. See kernel/README.md.",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit_pitr_kernel(void)
{
    return PyModuleDef_Init(&module_def);
}
