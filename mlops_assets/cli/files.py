"""`mlops hash`: the data version of a file."""

from typing import Annotated

import typer

from mlops_assets.cli.printing import as_json, out


def hash_file(
    file: Annotated[str, typer.Argument(help="a Parquet or CSV file, or a URL of one")],
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a line")] = False,
) -> None:
    """Print the data version of a table: the same whoever wrote the file, in whatever order of rows.

    It is the version the asset of that table has. The bytes' own sha256 is beside it with --json.
    """
    from mlops_assets.core.versions import table_version
    from mlops_assets.stores.files import file_sha256, read_table

    table = read_table(file)
    version = table_version(table)
    if json:
        as_json({"file": file, "data_version": version, "rows": table.num_rows, "sha256": file_sha256(file)})
    else:
        out.print(f"{version}  {file}", markup=False)
