"""Pictures that stand still, drawn by matplotlib. Begin with `plots.py`."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "plot_attention": "plots",
        "plot_bars": "plots",
        "plot_curve": "curves",
        "plot_losses": "curves",
        "plot_model": "whole",
        "plot_next_token": "plots",
        "plot_power_law": "power_law",
        "plot_roofline": "roofline",
        "plot_shares": "shares",
        "plot_stream": "stream",
        "plot_surprise": "plots",
        "plot_windows": "windows",
        "use_style": "plots",
    },
)
