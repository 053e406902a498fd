"""The stand-in for AWS's base image, as far as it needs no Docker engine."""

from pathlib import Path

from tests.sam_local.image import libraries_named

LDD = """\
/root/some project/.venv/bin/python3:
\tlinux-vdso.so.1 (0x00007f59f9ab2000)
\tlibpython3.13.so.1.0 => /root/some project/lib/libpython3.13.so.1.0 (0x00007f59f9400000)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f59f99bc000)
\tlibgone.so.1 => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f59f9ab4000)
/root/some project/static:
\tstatically linked
"""


def test_libraries_are_found_in_a_folder_with_a_space() -> None:
    assert libraries_named(LDD) == {
        Path("/root/some project/lib/libpython3.13.so.1.0"),
        Path("/lib/x86_64-linux-gnu/libm.so.6"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    }
