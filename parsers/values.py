"""Data classes whose methods are written when they are needed.

`dataclasses.dataclass(slots=True)` makes each class twice and compiles six methods for it: 0.8 ms,
two hundred times before a program begins, most of them for a class that it makes one value of, or
none. Here a class gets its slots at once, and its methods, which the standard library writes on the
class as it stands in the source, when it has made a few values, or one is compared, printed,
hashed, unpickled or asked for its fields. `fields`, `replace`, pickling and `match` know no
difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses

    _FEW = 16  # values: more are cheaper with a compiled __init__
    _NO_FIELDS = ("ClassVar", "InitVar", "KW_ONLY")
    _OF_EACH_CLASS = {"__dict__", "__weakref__"}
    _OF_FROZEN = ("__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__")

    def dataclass(*, slots=False, **options):
        """`dataclasses.dataclass`; with `slots=True` it is done when it is needed."""
        if not slots:
            return dataclasses.dataclass(**options)
        return lambda written: _Later(written, options).slotted

    class _Later:
        """The methods of a class, to be written; stands where its `__dataclass_fields__` will."""

        def __init__(self, written, options):
            hints = written.__annotations__
            self.options = options
            self.names = [name for name in hints if not hints[name].startswith(_NO_FIELDS)]
            self.before = {**written.__dict__, "__qualname__": written.__qualname__}
            for name in _OF_EACH_CLASS:
                self.before.pop(name, None)
            body = {name: it for name, it in self.before.items() if name not in self.names}
            inherited = {name for base in written.__mro__ for name in _slots(base)}
            body["__slots__"] = tuple(name for name in self.names if name not in inherited)
            body["__dataclass_fields__"] = self
            body["__dataclass_params__"] = _Parameters(self)
            body["__init__"] = self._first("__init__")
            body.setdefault("__getstate__", _get_state)
            body.setdefault("__setstate__", _set_state)
            self.few, self.fields = _FEW, None
            self.is_plain = self._is_plain(written)
            if self.is_plain:
                body["__init__"], body["__match_args__"] = self._plain_init(), ()
                body |= {name: self._first(name) for name in _OF_FROZEN}
            self.slotted = type(written)(written.__name__, written.__bases__, body)

        def _first(self, name):
            def method(value, /, *args, **kwargs):
                self.write()
                return getattr(self.slotted, name)(value, *args, **kwargs)

            return method

        def _is_plain(self, written):
            """Whether its first values are made without an `__init__` of its own."""
            return (
                self.options == {"frozen": True, "kw_only": True}
                and written.__bases__ == (object,)
                and not any(name in self.before for name in _OF_FROZEN)
                and not any(_is_given_none(self.before.get(name)) for name in self.names)
                and len(self.names) == len(written.__annotations__)
            )

        def _plain_init(self):
            def __init__(value, /, *args, **kwargs):  # noqa: N807
                if args or self.few <= 0 or not self._fill(value, kwargs):
                    self.write()
                    self.slotted.__init__(value, *args, **kwargs)

            return __init__

        def _fill(self, value, given):
            """Give a value its fields; False where `__init__` may know more of them."""
            before, left = self.before, len(given)
            if before is None:
                return False
            self.few -= 1
            for name in self.names:
                if name in given:
                    it, left = given[name], left - 1
                else:
                    it = before.get(name, dataclasses.MISSING)
                    if isinstance(it, dataclasses.Field):
                        it = _default(it)
                if it is dataclasses.MISSING:
                    return False
                object.__setattr__(value, name, it)
            if left:
                return False
            if "__post_init__" in before:
                value.__post_init__()
            return True

        def __get__(self, value, owner):
            before = self.before
            if before is None or not self.is_plain:
                self.write()
                return self.slotted.__dataclass_fields__
            if self.fields is None:  # `replace` needs no more
                bare = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True)
                self.fields = bare(self._as_written(before)).__dataclass_fields__
            return self.fields

        def _as_written(self, before):
            slotted = self.slotted
            return type(slotted)(slotted.__name__, slotted.__bases__, before)

        def write(self):
            """Write them; `__init__`, by which others come here, last of all.

            Threads that come at once write the same, each on a class of its own.
            """
            before = self.before
            if before is None:
                return
            for base in map(_later, self.slotted.__mro__[1:]):
                if base is not None:
                    base.write()
            made = dict(dataclasses.dataclass(**self.options)(self._as_written(before)).__dict__)
            made["__init__"] = made.pop("__init__")
            for name, it in made.items():
                if name not in (*self.names, *_OF_EACH_CLASS) and before.get(name, self) is not it:
                    setattr(self.slotted, name, it)
            self.before = None

    class _Parameters:
        """Stands where the options of a class will."""

        def __init__(self, later):
            self.later = later

        def __get__(self, value, owner):
            self.later.write()
            return self.later.slotted.__dataclass_params__

    def _is_given_none(it):
        return isinstance(it, dataclasses.Field) and not it.init

    def _default(field):
        made = field.default_factory is not dataclasses.MISSING
        return field.default_factory() if made else field.default

    def _later(base):
        later = base.__dict__.get("__dataclass_fields__")
        return later if isinstance(later, _Later) else None

    def _slots(base):
        slots = base.__dict__.get("__slots__", ())
        return (slots,) if isinstance(slots, str) else slots

    def _get_state(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]

    def _set_state(value, state):
        for field, it in zip(dataclasses.fields(value), state, strict=True):
            object.__setattr__(value, field.name, it)
