/* pages_see() for Python: see module.c, and parsers/files/page_checks.py. */
#include "pages_module.h"

#include <stdlib.h>

static PyObject *rows_of(const uint32_t *rows, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t n = 0; list && n < count; n++) {
        PyObject *row = PyLong_FromUnsignedLong(rows[n]);
        if (!row || PyList_SetItem(list, (Py_ssize_t)n, row))
            Py_CLEAR(list);
    }
    return list;
}

PyObject *pages_module_see(PyObject *module, PyObject *args)
{
    Py_buffer content, blocks = {0};
    PyObject *numbers, *result = NULL;
    unsigned int size;
    long long first;
    unsigned long long start, end;
    struct pages_seen seen;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*ILOKK", &content, &size, &first, &numbers, &start, &end))
        return NULL;
    int is_page = size >= 1024 && size <= 32768 && !(size & (size - 1));
    size_t count = is_page ? (size_t)content.len / size : 0;
    if (!is_page || count * size != (size_t)content.len || count > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "whole pages of a legal size are seen");
        goto release;
    }
    if (numbers != Py_None && PyObject_GetBuffer(numbers, &blocks, PyBUF_SIMPLE))
        goto release;
    if (numbers != Py_None && (size_t)blocks.len != count * sizeof(int64_t)) {
        PyErr_SetString(PyExc_ValueError, "a number for each page");
        goto release;
    }
    uint32_t *rows = malloc((2 * count + 1) * sizeof *rows);
    if (!rows) {
        PyErr_NoMemory();
        goto release;
    }
    Py_BEGIN_ALLOW_THREADS
    pages_see(&seen, content.buf, count, size, blocks.buf, first, start, end, rows, rows + count);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("KKKNN", (unsigned long long)seen.checked,
                           (unsigned long long)seen.fresh, (unsigned long long)seen.newer,
                           rows_of(rows, seen.damaged), rows_of(rows + count, seen.headless));
    free(rows);
release:
    if (blocks.obj)
        PyBuffer_Release(&blocks);
    PyBuffer_Release(&content);
    return result;
}
