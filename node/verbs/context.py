"""What every verb starts from: the configuration."""

from pathlib import Path

from node import logs
from node.bootstrap.stores import Stores, open_stores
from node.settings import Settings, load_settings


class Node:
    """What every command starts from: the path of the configuration and, once asked for, its content."""

    def __init__(self, config: Path | None) -> None:
        self.config = config

    def settings(self) -> Settings:
        settings = load_settings(self.config)
        logs.configure(settings.log.level, settings.log.format)
        return settings

    def stores(self) -> Stores:
        return open_stores(self.settings())
