// Interferometers and phase layers on lane arrays of columns: included after slos_kernel.inl, under the same rules.

/// `Rows` rows of apply_interferometer() at one column: two share what they read, and keep the multiply-adds busy.
template <class V, u32 Lanes, u32 Rows>
inline __attribute__((always_inline)) void apply_rows(u32 modes, u64 row, const double* matrix, const double* x,
                                                      double* y) {
    constexpr u32 vectors = Lanes / V::lanes;
    typename V::Type re[Rows][vectors], im[Rows][vectors];
#pragma GCC unroll 16
    for (u32 k = 0; k < Rows * vectors; ++k) re[k / vectors][k % vectors] = im[k / vectors][k % vectors] = V::splat(0);
    for (u32 j = 0; j < modes; ++j, matrix += 2, x += row) {
#pragma GCC unroll 8
        for (u32 v = 0; v < vectors; ++v) {
            const typename V::Type x_re = V::load(x + v * V::lanes), x_im = V::load(x + v * V::lanes + Lanes);
#pragma GCC unroll 2
            for (u32 i = 0; i < Rows; ++i) {
                const double* const element = matrix + u64{i} * modes * 2;
                const typename V::Type f_re = V::splat(element[0]), f_im = V::splat(element[1]);
                re[i][v] = V::fma(f_re, x_re, re[i][v]);
                im[i][v] = V::fma(f_re, x_im, im[i][v]);
                re[i][v] = V::fnma(f_im, x_im, re[i][v]);
                im[i][v] = V::fma(f_im, x_re, im[i][v]);
            }
        }
    }
#pragma GCC unroll 16
    for (u32 k = 0; k < Rows * vectors; ++k) {
        double* const out = y + k / vectors * row + k % vectors * V::lanes;
        V::store(out, re[k / vectors][k % vectors]);
        V::store(out + Lanes, im[k / vectors][k % vectors]);
    }
}

/// Y[i, c] = sum_j F[i, j] X[j, c] for every lane; F is the same for all lanes.
template <class V, u32 Lanes>
void apply_interferometer(u32 modes, u32 columns, const double* matrix, const double* x, double* y) {
    const u64 row = u64{columns} * 2 * Lanes;
    u32 i = 0;
    for (; i + 2 <= modes; i += 2)
        for (u64 at = 0; at < row; at += 2 * Lanes)
            apply_rows<V, Lanes, 2>(modes, row, matrix + u64{i} * modes * 2, x + at, y + i * row + at);
    if (i < modes)
        for (u64 at = 0; at < row; at += 2 * Lanes)
            apply_rows<V, Lanes, 1>(modes, row, matrix + u64{i} * modes * 2, x + at, y + i * row + at);
}

template <class V, u32 Lanes>
void apply_phase(u32 columns, const double* phasor, double* row) {
    for (u32 lane = 0; lane < Lanes; lane += V::lanes) {
        const typename V::Type c = V::load(phasor + lane), s = V::load(phasor + Lanes + lane);
        for (u32 column = 0; column < columns; ++column) {
            double* const at = row + u64{column} * 2 * Lanes + lane;
            const typename V::Type re = V::load(at), im = V::load(at + Lanes);
            V::store(at, V::fnma(s, im, V::mul(c, re)));
            V::store(at + Lanes, V::fma(s, re, V::mul(c, im)));
        }
    }
}

/// One row of the first interferometer, the same in every lane.
template <class V, u32 Lanes>
void put_row(u32 columns, const double* elements, double* row) {
    for (u32 e = 0; e < columns * 2; ++e)
        for (u32 lane = 0; lane < Lanes; lane += V::lanes) V::store(row + u64{e} * Lanes + lane, V::splat(elements[e]));
}

/// put_row() and apply_phase() in one.
template <class V, u32 Lanes>
void put_turned_row(u32 columns, const double* elements, const double* phasor, double* row) {
    for (u32 lane = 0; lane < Lanes; lane += V::lanes) {
        const typename V::Type c = V::load(phasor + lane), s = V::load(phasor + Lanes + lane);
        for (u32 column = 0; column < columns; ++column) {
            const typename V::Type re = V::splat(elements[2 * column]), im = V::splat(elements[2 * column + 1]);
            double* const at = row + u64{column} * 2 * Lanes + lane;
            V::store(at, V::fnma(s, im, V::mul(c, re)));
            V::store(at + Lanes, V::fma(s, re, V::mul(c, im)));
        }
    }
}

/// The columns of the first interferometer, and the first layer of phase shifters on these, if there is one.
template <class V, u32 Lanes, class View>
void begin_columns(const View& view, double* x) {
    u32 site = view.site_begin[0];
    const u32 end = view.layers == 0 ? site : view.site_begin[1];
    const auto is_next = [&](u32 mode) { return site < end && view.site_mode[site] == mode; };
    const auto phasor = [&] { return view.phasors + u64{site++} * 2 * Lanes; };
    const double* first = view.first;
    for (u32 mode = 0; mode < view.modes; ++mode, first += u64{view.columns} * 2, x += u64{view.columns} * 2 * Lanes) {
        if (is_next(mode))
            put_turned_row<V, Lanes>(view.columns, first, phasor(), x);
        else
            put_row<V, Lanes>(view.columns, first, x);
        while (is_next(mode)) apply_phase<V, Lanes>(view.columns, phasor(), x);
    }
}

/// The phase shifters of a layer behind the first.
template <class V, u32 Lanes, class View>
void apply_layer(const View& view, u32 layer, double* x) {
    for (u32 s = view.site_begin[layer]; s < view.site_begin[layer + 1]; ++s)
        apply_phase<V, Lanes>(view.columns, view.phasors + u64{s} * 2 * Lanes,
                              x + u64{view.site_mode[s]} * view.columns * 2 * Lanes);
}

template <class V, u32 Lanes>
void compose(const ComposeView& view) {
    double* x = view.layers % 2 == 0 ? view.columns_out : view.columns_scratch;  // the last product lands in _out
    double* y = view.layers % 2 == 0 ? view.columns_scratch : view.columns_out;
    begin_columns<V, Lanes>(view, x);
    for (u32 layer = 0; layer < view.layers; ++layer) {
        if (layer > 0) apply_layer<V, Lanes>(view, layer, x);
        apply_interferometer<V, Lanes>(view.modes, view.columns,
                                       view.matrices + u64{layer} * view.modes * view.modes * 2, x, y);
        double* const done = y;
        y = x;
        x = done;
    }
}
