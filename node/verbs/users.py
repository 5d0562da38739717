"""The verb about users of the DICOM port."""

import click


@click.command("user")
@click.argument("name")
@click.option("--passcode", prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for when not given.")
def user(*, name: str, passcode: str) -> None:
    """Print the line for NAME in receive.users_file, with a hash of the passcode.

    \b
    Example: pulmonode user CT1 >> /etc/pulmonode/users
    """
    from node.adapters.users import line_of

    try:
        click.echo(line_of(name, passcode))
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="NAME") from fault
