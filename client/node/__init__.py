"""The clinic's node: how it joins a server, and what it keeps to find and convince it again."""
