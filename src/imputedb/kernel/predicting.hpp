// Predicted values: computed from stored cells alone, so that no target's values help to predict another's.
#pragma once

#include "job.hpp"

namespace imputedb {

// Fills the outputs of these targets, given by their places among all.
void predict(const Job& job, std::span<const std::size_t> targets, std::span<void* const> outputs,
             const Settings& settings, Tasks& tasks, Report& report);

}  // namespace imputedb
