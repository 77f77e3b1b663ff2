"""Commands that look at the live cluster; none of them writes to it."""
