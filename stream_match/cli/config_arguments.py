"""The arguments of ``config`` and of its actions."""

from pathlib import Path

from stream_match.cli.command import Parser, Subparsers, command


def add(commands: "Subparsers[Parser]") -> None:
    """Add ``config`` and its actions."""
    parser = command(
        commands,
        "config",
        None,
        help="check the settings of listen, describe them, or print an example",
        epilog="example: stream-match config example > listen.toml && stream-match config check listen.toml",
    )
    parser.set_defaults(asked=parser)
    actions = parser.add_subparsers(metavar="ACTION")
    check = command(
        actions,
        "check",
        "config:check",
        help="say all that is wrong with a file of settings, and what is suspicious",
        epilog="example: stream-match config check listen.toml\n\n"
        "What the environment says counts, too. Nothing is opened and nobody is connected to.\n\n"
        "exit status: 2 if something is wrong; 0 if there are warnings at most",
    )
    check.add_argument("file", type=Path, metavar="FILE.toml")
    command(
        actions,
        "schema",
        "config:schema",
        help="print the JSON Schema of the settings, for editors",
        epilog="example: stream-match config schema > listen.schema.json",
    )
    command(
        actions,
        "example",
        "config:example",
        help="print a file with every setting, its default and what it does",
        epilog="example: stream-match config example > listen.toml",
    )
