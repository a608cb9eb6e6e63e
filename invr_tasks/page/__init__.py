"""A run as one page to look at: `invr_tasks.page.report` writes it, `invr_tasks.page.curve` notes how the fit went."""
