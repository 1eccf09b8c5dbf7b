"""What products are in words: term vectors of what the catalogue says, for products and customers without a history."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

TEXTS = ("name", "category", "subcategory", "brand")
MIN_PRODUCTS = 2
"""A word that fewer products have says nothing about their likeness."""


def term_vectors(products: pl.DataFrame) -> csr_matrix:
    """Products x words, each row a product's TF-IDF vector of length 1; without a shared word, zeros.

    products: with the texts TEXTS. Names count by word; category, subcategory and brand count whole.
    """
    whole = [pl.format("{}={}", pl.lit(text), pl.col(text)) for text in TEXTS[1:]]
    words = pl.col("name").cast(pl.String).str.to_lowercase().str.extract_all(r"\p{L}{2,}")
    terms = (
        products.select(pl.col(text).cast(pl.String) for text in TEXTS)
        .with_row_index("product")
        .select("product", term=pl.concat_list(words.fill_null([]), *whole))
        .explode("term")
        .drop_nulls()
        .unique()
        .with_columns(n=pl.len().over("term"))
        .filter(pl.col("n") >= MIN_PRODUCTS)
        .with_columns(word=pl.col("term").rank("dense") - 1)
        .sort("product", "word")
    )
    if terms.is_empty():
        return csr_matrix((products.height, 1))
    rarity = np.log((1 + products.height) / (1 + terms["n"].to_numpy())) + 1
    cells = (rarity, (terms["product"].to_numpy(), terms["word"].to_numpy()))
    vectors = csr_matrix(cells, shape=(products.height, terms["word"].n_unique()))
    return csr_matrix(vectors.multiply(1 / lengths(vectors)[:, None]))


def likeness(history: csr_matrix, vectors: csr_matrix) -> NDArray[np.float64]:
    """Customers x products: cosine between a product and the sum of the customer's weighted products."""
    taste = csr_matrix(history @ vectors)
    taste = csr_matrix(taste.multiply(1 / lengths(taste)[:, None]))
    return np.asarray((taste @ vectors.T).toarray(), dtype=np.float64)


def lengths(vectors: csr_matrix) -> NDArray[np.float64]:
    """Euclidean length per row; 1 for an empty row."""
    size = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    return np.where(size > 0, size, 1.0)
