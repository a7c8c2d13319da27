// Values that are constant between borders: what an input shows, or what a teacher wants, in the course of a trial.
#pragma once

#include <algorithm>
#include <vector>

namespace {

struct Course {
    std::vector<double> borders, values;  // borders in ms from the start of the trial; values per piece and cell
    size_t cells{1};

    // Takes `cells` columns from the first on, of the values of all cells.
    void take(IvocVect* times, IvocVect* from, size_t first, size_t all) {
        const size_t pieces = vector_capacity(times) - 1;
        if (vector_capacity(times) < 2 || size_t(vector_capacity(from)) != pieces * all || first + cells > all) {
            hoc_execerror("course: a course needs a value per piece and cell, and a border more than pieces.", nullptr);
        }
        borders.assign(vector_vec(times), vector_vec(times) + pieces + 1);
        values.clear();
        for (size_t piece = 0; piece < pieces; ++piece) {
            const double* row = vector_vec(from) + piece * all + first;
            values.insert(values.end(), row, row + cells);
        }
    }

    void clear() {
        borders.clear();
        values.clear();
    }

    bool empty() const {
        return values.empty();
    }

    // The values of the cells at a time, nothing before the first and after the last border.
    const double* at(double time) const {
        const auto after = std::upper_bound(borders.begin(), borders.end(), time);
        const bool outside = after == borders.begin() || after == borders.end();
        return outside ? nullptr : values.data() + size_t(after - borders.begin() - 1) * cells;
    }
};

}  // namespace
