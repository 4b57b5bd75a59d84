"""Commands that show cohorts: which kinds there are, and how those of a configuration are understood."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import Arguments, Commands, verb


def declare(commands: Commands) -> None:
    """Declare `madad cohort` and `madad cohorts`."""
    shown = verb(commands, cohort)
    shown.add_argument("configuration", type=Path, help="configuration file, as for madad run --configfile")
    shown.add_argument("--names", action="store_true", help="look at names alone, without opening images and masks")
    listed = verb(commands, cohorts)
    listed.add_argument("kind", nargs="?", help="one kind, of which everything is printed")


def cohort(arguments: Arguments) -> None:
    """Show how the cohorts of a configuration are understood: groups, splits, sequences, masks, and what is not used."""
    from madad.configuration import settings
    from madad.configuration.files import read_configuration
    from madad.data.cohorts.finding import understanding

    config = settings.resolve(read_configuration(arguments.configuration))
    understood = understanding.understand(config, "names" if arguments.names else "files")
    print("\n".join(understanding.lines(understood)))
    understanding.check(understood, understanding.needs(config))


def cohorts(arguments: Arguments) -> None:
    """List the kinds of cohorts that can be read, or print what one of them is and where to get it."""
    from madad.configuration import cohort_cards
    from madad.core.errors import UserError, did_you_mean

    kinds = cohort_cards.kinds()
    if not arguments.kind:
        for kind in kinds:
            card = cohort_cards.card(kind)
            print(f"{kind:<9} {card['title']}. Licence: {card['licence']}")
        return
    if arguments.kind not in kinds:
        close = did_you_mean(arguments.kind, kinds) or f"; there are {', '.join(kinds)}"
        raise UserError(f"{arguments.kind}: no such kind of cohort{close}")
    card = cohort_cards.card(arguments.kind)
    print(f"{card['about'].strip()}\n{cohort_cards.directions(arguments.kind)}".rstrip())
