// Predicted values, given stored and drawn cells; no predicted value is used to predict another.
#pragma once

#include "trees/job.hpp"

namespace imputedb {

// Fills the outputs of some targets, given by their places among all. Models are fitted to stored cells, and applied to
// the given codes, by column of the table.
void predict(const Job& job, std::span<const std::size_t> targets, std::span<void* const> outputs,
             std::span<const std::uint8_t* const> codes, const Settings& settings, Tasks& tasks, Report& report);

}  // namespace imputedb
