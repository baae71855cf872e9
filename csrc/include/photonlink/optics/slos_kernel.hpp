// The hot loops of the simulator as plain function tables, one set per SIMD profile. The views below carry no
// ownership and no standard library types: the same kernel text is compiled several times with different
// instruction sets, and nothing of it may be merged across those builds by the linker.
//
// Lanes: W datapoints are computed side by side. A state's amplitude is re[W] then im[W]; a distinguishable-photon
// weight is one real [W]. Every lane runs the same operations in the same order at every W, so a datapoint's bits do
// not depend on how many others it was computed with. Profiles with fused multiply-add round once where the baseline
// rounds twice: bits are identical within one profile only.
#pragma once

#include "photonlink/platform.hpp"

namespace photonlink::optics {

/// A parent of a group of states: its position in the previous level, and the mode that received the photon.
struct SlosEntry {
    u32 parent;
    u32 mode;
};

/// States of one level that share a prefix. Their suffixes run through all states of `suffix` photons in the last
/// modes, in the same order in every block; hence the parents through a prefix mode are a run of equal length.
struct SlosBlock {
    u32 child;    // first state of the block
    u32 parent;   // first state of the block with this prefix and one suffix photon less
    u32 entry;    // first prefix parent, in LevelView::entries
    u16 entries;  // prefix parents: occupied prefix modes in ascending order
    u16 suffix;   // photons in the suffix
};

/// All suffixes with one photon number: parents are relative to SlosBlock::parent.
struct SuffixView {
    u32 states;
    const u32* begin;  // states + 1 entries
    const SlosEntry* entries;
    const double* weight;       // product of the factorials of the suffix's occupation numbers
    const double* root_weight;  // its square root
};

/// Modes of a suffix, at least, where there are as many. Long blocks amortise table reads and weights; parents inside a
/// suffix cost a table read each, or code: see fock_suffix.inl.
inline constexpr u32 kSuffixModes = 6;

struct LevelView {
    const SlosBlock* blocks;
    u32 block_count;
    const SlosEntry* entries;
    const SuffixView* suffixes;  // by photon number
    const double* weight;        // per block: product of the factorials of the prefix's occupation numbers
    const double* root_weight;   // its square root
    u32 prefix_modes = 0;
    bool fock_suffixes = false;  // suffixes are all states of kSuffixModes modes
};

/// Parents through `mode` of the states of one chunk: lane j takes the state parent + (pattern[j] & 127), or nothing
/// where the top bit of pattern[j] is clear; see row_tables.hpp.
struct RowEntry {
    u32 parent;
    u32 pattern : 24;  // number of the pattern
    u32 mode : 8;
};

struct RowView {
    u32 states;
    u32 chunks;
    const u32* begin;         // chunks + 1 entries
    const RowEntry* entries;  // of a chunk: in ascending order of modes
    const u8* patterns;       // RowKernels::chunk bytes each
};

/// Numbers in a vector, and datapoints of a RowKernels, at most, in any profile.
inline constexpr u32 kMostLanes = 16, kMostKernelRows = 2;

/// Largest angle, in radians, that SlosKernels::phasors reduces without loss.
inline constexpr double kMostAngle = 1 << 20;

/// Composition of the interferometers, for the occupied input columns only. Complex numbers are (re, im) pairs;
/// lane arrays are re[W], im[W].
struct ComposeView {
    u32 modes;
    u32 columns;
    u32 layers;               // phase layers; there are layers + 1 interferometers
    const double* first;      // modes x columns complex: the columns of the first interferometer
    const double* matrices;   // layers x modes x modes complex: the others
    const u32* site_begin;    // layers + 1 entries, from any site on
    const u32* site_mode;     // sorted by layer, then by mode
    const double* phasors;    // per site cos[W], sin[W]
    double* columns_out;      // modes x columns lane arrays
    double* columns_scratch;  // of the same size
};

/// The composed columns as a sweep takes them: see SweepColumns.
template <class Real>
struct LoadView {
    u32 modes;
    u32 columns;
    u32 last;            // column of the last photon
    u32 composed_lanes;  // of `composed`, of which the first `lanes` are taken
    u32 lanes;
    bool interference;  // else weights are squares of the absolute values, and real
    bool gauged;        // rows are turned so that the last photon's column is real
    const double* composed;
    Real* weights;      // columns x modes lane arrays
    Real* real_column;  // modes lane arrays: absolute values of the last photon's column, or their squares
};

template <class Real>
struct SlosKernels {
    using Step = void (*)(const LevelView&, const Real* column, const Real* parents, Real* children);
    using Finish = void (*)(const LevelView&, u32 first_block, u32 last_block, const Real* column, const Real* parents,
                            double scale, Real* results);
    u32 lanes;
    /// Per site angles[W] and room for W more, of at most kMostAngle; they become cos[W], sin[W].
    void (*phasors)(u32 sites, double* angles);
    void (*compose)(const ComposeView&);
    void (*load_columns)(const LoadView<Real>&);  // of any number of lanes
    Step step;                                    // complex amplitudes, complex column
    Step step_real_column;                        // complex amplitudes, real column
    Step step_distinguishable;                    // real weights, real column
    Finish finish;                                // last level, real column: |amplitude|^2 * factorials * scale
    Finish finish_distinguishable;                // last level: the weights are the probabilities
    Finish finish_amplitudes;                     // last level, complex column: amplitude * root of factorials * scale
    /// Lane arrays of `states` states to places first.. of as many rows as there are lanes.
    void (*scatter_rows)(const Real* tile, u32 states, Real* const* targets, u64 first);
};

/// Few datapoints with vectors over consecutive states. Of each row, the real parts of a level lie side by side, the
/// imaginary parts `stride` further, and the next row as much further again; at least one vector may be read beyond the
/// last state. Columns are lane arrays of `rows` lanes.
template <class Real>
struct RowKernels {
    using Step = void (*)(const RowView&, const Real* column, const Real* parents, u64 parent_stride, Real* children,
                          u64 child_stride);
    using Finish = void (*)(const RowView&, u32 first_chunk, u32 last_chunk, const Real* column, const Real* parents,
                            u64 parent_stride, const Real* weights, Real weight, Real* const* probabilities);
    u32 chunk;  // states per vector
    u32 rows;   // datapoints
    Step step;
    Step step_real_column;
    Step step_distinguishable;
    Finish finish;  // `weights` per state, or null where all have the same `weight`
    Finish finish_distinguishable;
};

/// One build of the kernels; widths in descending order, the last one is 1.
struct KernelProfile {
    const char* name;
    bool (*supported)();
    const SlosKernels<float>* float32;
    u32 float32_count;
    const SlosKernels<double>* float64;
    u32 float64_count;
    // For few datapoints, in descending order, the last one for 1; none where the profile cannot permute vectors.
    const RowKernels<float>* row_float32;
    const RowKernels<double>* row_float64;
    u32 row_count;
    /// Minors of a rows x (rows + 1) complex matrix, up to a common factor: out[c] is the permanent without column c.
    void (*minors)(u32 rows, const double* matrix, double* out);
    /// Rounds of multiply-adds and nothing else, for multiply_add_peak(), and the flops in a round. `result` has room
    /// for one vector.
    void (*multiply_adds32)(u64 rounds, float factor, float* result);
    u32 round_flops32;
    void (*multiply_adds64)(u64 rounds, double factor, double* result);
    u32 round_flops64;

    template <class Real>
    const SlosKernels<Real>* widths() const {
        if constexpr (sizeof(Real) == sizeof(float))
            return float32;
        else
            return float64;
    }
    template <class Real>
    u32 width_count() const {
        return sizeof(Real) == sizeof(float) ? float32_count : float64_count;
    }
    template <class Real>
    const RowKernels<Real>* rows() const {
        if constexpr (sizeof(Real) == sizeof(float))
            return row_float32;
        else
            return row_float64;
    }
};

/// Profiles of this build, best first; some may not be supported by this machine.
struct KernelProfiles {
    const KernelProfile* const* begin_;
    const KernelProfile* const* end_;
    const KernelProfile* const* begin() const { return begin_; }
    const KernelProfile* const* end() const { return end_; }
};
KernelProfiles kernel_profiles();

/// The best supported profile, or the one that the environment variable PHOTONLINK_SIMD names; throws ProgramError if
/// that one does not exist or cannot run here.
const KernelProfile& select_kernel_profile();

}  // namespace photonlink::optics
