// Drawn values: every target from the others' values in the same draw, cycle after cycle.
#pragma once

#include <optional>

#include "trees/donors.hpp"
#include "trees/job.hpp"

namespace imputedb {

// What all draws share of a column that is drawn.
struct Deck {
  std::size_t target;                   // among all
  std::vector<std::uint32_t> observed;  // rows that are learnt from
  std::vector<std::uint32_t> gaps;      // rows where it is missing, of every draw first, then by draw
  std::vector<std::uint32_t> outputs;   // by gap, where its value goes
  std::vector<std::size_t> ends;        // of the gaps of every draw, then of each
  std::optional<Ground> ground;         // none where each draw learns from a sample of its own
  Together together;                    // columns that miss with it
  std::optional<Ground> rest;           // without some of those, for rows that miss one
};

// One of the targets, which misses a value, ready for these draws.
Deck deck(const Job& job, std::size_t target, std::span<const std::uint64_t> draws, const Settings& settings,
          const std::atomic<bool>& stop);

// The columns as one draw has them.
struct State {
  Codes codes;
  std::vector<std::vector<std::uint8_t>> own;  // by deck, what `codes` shows of it
};
State stored(const Job& job);  // before anything is drawn

// How many cycles follow the start. Unless that is given, none where missing values are nested, so that the start is a
// draw of all; else as many as make what the start gets wrong small. Its error is at most of the size of the second
// largest share of missing values, counts by the largest, and shrinks by that share a cycle (measured: decisions/kernel.md).
int cycles_of(const Job& job, std::span<const Deck> decks, const Settings& settings);

// Fills the outputs of one draw, by its position among all, and leaves its codes in the state. Decks are in the order of
// chaining: each starts from complete columns and from those before it, and then sees the newest values of all others.
void draw(const Job& job, std::span<const Deck> decks, std::size_t position, std::span<void* const> outputs,
          const Settings& settings, Tasks& tasks, Report& report, State& state);

}  // namespace imputedb
