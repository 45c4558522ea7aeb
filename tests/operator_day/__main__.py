"""Play the day in full. Each step is printed with its time, and at the end “exact”; exits with 1 at any difference."""

import sys

from tests.operator_day.customers import FULL
from tests.operator_day.day import play
from tests.operator_day.product import fresh
from tests.operator_day.steps import DifferentError, step


def main() -> int:
    try:
        with fresh() as product:
            play(product, FULL)
            with step("the product's own proof of its sums"):
                product.manage("verify_rollups")
    except DifferentError as error:
        print(error, file=sys.stderr)
        return 1
    print("exact")
    return 0


if __name__ == "__main__":
    sys.exit(main())
