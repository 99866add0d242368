"""`chainrule learn`: a small playground for backpropagation in the browser."""

from __future__ import annotations

import click

from .options import SectionCommand, option

HELP = """Open a playground: a network small enough to see whole, and a problem to learn.

Step through one cycle of backpropagation, forward and back, and choose any weight: its chain rule is worked out in
numbers, all computed by the engine. The page is served to this machine alone. Ctrl-C ends it.

\b
Examples:
  chainrule learn
  chainrule learn --port 8000 --no-browser
"""

PORTS = click.IntRange(0, 65535)


@click.command(cls=SectionCommand, help=HELP, short_help="A playground: every number of backpropagation worked out.")
@option("Page", "--port", type=PORTS, default=0, metavar="N", help="Where to serve it. Default: any free port.")
@option("Page", "--browser/--no-browser", default=True, help="Whether to open it in your browser. Default: yes.")
def learn(port: int, browser: bool) -> None:
    """Serve until Ctrl-C."""
    import threading

    from ..reports.pages.playground import playground_page
    from ..reports.playground_session import Session
    from .serving import served

    session = Session()
    pages = {"/": lambda _: playground_page(session)}
    with served(pages, {"/act": session.act}, port) as server:
        try:
            click.echo(f"The playground is at {server.url}   (Ctrl-C ends it)")
            if browser:
                click.launch(server.url)
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("\nClosed.")
