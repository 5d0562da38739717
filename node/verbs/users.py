"""The verb about users of the DICOM port."""

import click


@click.command("user")
@click.argument("name")
def user(name: str) -> None:
    """Ask for a passcode, and print the line for NAME in receive.users_file, with a hash of it.

    \b
    Example: pulmonode user CT1 >> /etc/pulmonode/users
    """
    from node.adapters.users import line_of

    # not an option: whoever lists the processes would see it
    passcode = click.prompt("Passcode", hide_input=True, confirmation_prompt=True, err=True)
    try:
        click.echo(line_of(name, passcode))
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="NAME") from fault
