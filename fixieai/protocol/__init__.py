"""What agents and platform say to each other: plain data, no I/O (but for `Embed.content`)."""
