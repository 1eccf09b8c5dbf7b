"""Who is asked about an asset: the three people for whom the graph is made."""

DATA_ENGINEERING = ["team:data-engineering"]
DATA_SCIENCE = ["team:data-science"]
MARKETING = ["team:marketing"]
