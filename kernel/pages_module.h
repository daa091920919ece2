#ifndef PITR_PAGES_MODULE_H
#define PITR_PAGES_MODULE_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#include "pages.h"

PyObject *pages_module_see(PyObject *module, PyObject *args);

#endif
