"""The command that measures lesions from files alone: `pulmonode extract`."""
