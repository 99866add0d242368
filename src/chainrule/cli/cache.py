"""`chainrule cache`: the machine code that is kept on disk, so that networks seen before start at once."""

from __future__ import annotations

import click

from .options import SectionCommand, option

HELP = """Show where the machine code of compiled networks is kept, and how much there is; or remove it.

Code that is missing is compiled again, which takes a second or two for a large network. The environment variable
CHAINRULE_CACHE_DIR names another directory; set to nothing, no code is kept.

\b
Examples:
  chainrule cache
  chainrule cache --clear
"""


@click.command(cls=SectionCommand, help=HELP, short_help="Show or remove the machine code kept on disk.")
@option("Cache", "--clear", is_flag=True, help="Remove all of it.")
def cache(clear: bool) -> None:
    """Look or remove, then say so."""
    from ..compiler.machine import cache as kept
    from . import display

    place = kept.directory()
    if place is None:
        click.echo("No machine code is kept on disk.")
        return
    found = kept.clear() if clear else kept.contents()
    done = "Removed" if clear else "There is" if found.programs == 1 else "There are"
    click.echo(f"{done} {display.count(found.programs, 'program')}, {found.nbytes / 1e6:.1f} MB, in {place}")
