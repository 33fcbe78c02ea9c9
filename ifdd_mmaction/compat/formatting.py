"""The text of a config."""

import functools
from typing import Any


def format_configs_once() -> None:
    """Format a config once for the log, its files and each checkpoint (mmcv#2466).

    ``Config.pretty_text`` calls yapf each time it is read: four times when a training
    starts and once for each checkpoint; that of the sample takes 0.3 s each.
    """
    from mmengine.config import config

    upstream = config.FormatCode
    if upstream.__module__ == __name__:
        return

    @functools.lru_cache(maxsize=16)
    def formatted(text: str, style: tuple, options: tuple) -> tuple[str, bool]:
        return upstream(text, style_config=dict(style), **dict(options))

    def format_code(
        text: str, style_config: dict[str, Any], **options: Any
    ) -> tuple[str, bool]:
        return formatted(text, tuple(style_config.items()), tuple(options.items()))

    config.FormatCode = format_code
