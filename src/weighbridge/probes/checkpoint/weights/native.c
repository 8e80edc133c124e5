/* The hot loops of the pass over the weights: moments of floats and of ggml's quantised blocks, in one walk through memory.

   A plain shared library without Python in it, built on installation where there is a C compiler and loaded with ctypes; without it the
   numpy kernels of values.py and ggml.py do the same, slower. Every function reads `bytes` of `data` and nothing else, allocates
   nothing, and takes any bits for values. Sums are kept in lanes, so that the result does not depend on the processor.

   Layouts: ggml-common.h of ggml-org/ggml, as in ggml.py. Merging of means: Chan, Golub, LeVeque (1983), as in moments.py. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHUNK 2048 /* floats at a time: 8 KB, in the nearest cache */
#define LANES 8

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
#define INLINE static inline __attribute__((always_inline))

/* Vectors of 8, which AVX2 has. */
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(32)));
typedef uint16_t vh __attribute__((vector_size(16)));
typedef uint8_t vb __attribute__((vector_size(8)));
typedef int8_t vc __attribute__((vector_size(8)));
typedef int8_t vz __attribute__((vector_size(32)));
typedef int16_t vs __attribute__((vector_size(32)));
typedef uint16_t vus __attribute__((vector_size(32)));
typedef int16_t v8s __attribute__((vector_size(16)));
typedef uint16_t v8u __attribute__((vector_size(16)));
#define FIRST_8 0, 1, 2, 3, 4, 5, 6, 7
#define LAST_8 8, 9, 10, 11, 12, 13, 14, 15
#define FIRST_16 FIRST_8, LAST_8
#define LAST_16 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

typedef struct {
    double mean, spread, low, high; /* of the finite values; spread: the sum of squared distances from the mean */
    uint64_t count, nan, inf, zeros;
} moments;

typedef struct {
    double low, high;
    uint64_t zeros, nan, inf;
} scales;

INLINE uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

INLINE float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

INLINE uint16_t u16_at(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, 2);
    return value;
}

/* A float16's magnitude, moved to a float32's place, has an exponent that is 112 too small. */
INLINE float half(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, magnitude = (uint32_t)(bits & 0x7FFF) << 13;
    float finite = float_of(magnitude) * 0x1p112f;
    uint32_t special = magnitude | 0x7F800000;
    return float_of(sign | ((bits & 0x7C00) == 0x7C00 ? special : bits_of(finite)));
}

#define PICK(type, where, one, other) ((((type)(where)) & (one)) | (~((type)(where)) & (other)))

INLINE vf chosen(vi where, vf one, vf other) { return (vf)((where & (vi)one) | (~where & (vi)other)); }

INLINE void merge(moments *into, uint64_t count, double mean, double spread) {
    if (!count) return;
    uint64_t both = into->count + count;
    double apart = mean - into->mean, share = (double)count / (double)both;
    into->mean += apart * share;
    into->spread += spread + apart * apart * (double)into->count * share;
    into->count = both;
}

/* The slow way: NaN, infinities, or squares beyond a float. */
static void add_slowly(moments *into, const float *values, size_t n) {
    double total = 0, mean = 0, spread = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = bits_of(values[i]) & 0x7FFFFFFF;
        if (magnitude > 0x7F800000) into->nan++;
        else if (magnitude == 0x7F800000) into->inf++;
        else {
            count++;
            total += values[i];
            into->zeros += magnitude == 0;
            if (values[i] < into->low) into->low = values[i];
            if (values[i] > into->high) into->high = values[i];
        }
    }
    if (!count) return;
    mean = total / (double)count;
    for (size_t i = 0; i < n; i++)
        if ((bits_of(values[i]) & 0x7FFFFFFF) < 0x7F800000) spread += (values[i] - mean) * (values[i] - mean);
    merge(into, count, mean, spread);
}

INLINE void add_floats(moments *into, const float *values, size_t n) {
    vf total = {0}, squares = {0}, low, high;
    vu special = {0}, zeros = {0};
    /* Distances from a mean that is nearly right lose nothing where the spread is small against the mean. */
    const float pivot = (float)into->mean;
    if (!into->count || n % LANES) {
        add_slowly(into, values, n);
        return;
    }
    memcpy(&low, values, sizeof low);
    high = low;
    for (size_t i = 0; i < n; i += LANES) {
        vf value;
        memcpy(&value, values + i, sizeof value);
        const vf apart = value - pivot;
        const vu magnitude = (vu)value & 0x7FFFFFFF;
        special |= magnitude + 0x00800000; /* the top bit, for NaN and infinities */
        zeros -= (vu)(magnitude == 0);
        total += apart;
        squares += apart * apart;
        low = chosen(value < low, value, low);
        high = chosen(value > high, value, high);
    }
    double sum = 0, square = 0;
    uint32_t any = 0, none = 0;
    float least = low[0], most = high[0];
    for (int j = 0; j < LANES; j++) {
        any |= special[j];
        none += zeros[j];
        sum += total[j];
        square += squares[j];
        least = low[j] < least ? low[j] : least;
        most = high[j] > most ? high[j] : most;
    }
    if (any >> 31 || !(square < 1e38) || (square < 1e-30 && least < most)) {
        add_slowly(into, values, n);
        return;
    }
    into->zeros += none;
    if (least < into->low) into->low = least;
    if (most > into->high) into->high = most;
    double mean = sum / (double)n, spread = square - sum * mean;
    merge(into, n, (double)pivot + mean, spread > 0 ? spread : 0);
}

/* `decode` turns one block of `bytes_each` bytes at `at` into `elements` floats at `out`. */
#define MEASURE(name, elements, bytes_each, decode)                                                                    \
    FOR_EACH_PROCESSOR void measure_##name(const uint8_t *data, size_t bytes, moments *into) {                         \
        float values[CHUNK];                                                                                           \
        const size_t blocks = bytes / (bytes_each), most = CHUNK / (elements);                                         \
        for (size_t done = 0; done < blocks; done += most) {                                                           \
            size_t now = blocks - done < most ? blocks - done : most;                                                  \
            const uint8_t *at = data + done * (bytes_each);                                                            \
            for (size_t b = 0; b < now; b++, at += (bytes_each)) decode(at, values + b * (elements));                  \
            add_floats(into, values, now * (elements));                                                                \
        }                                                                                                              \
    }

#define RUN 8 /* plain floats are taken in runs, so that their conversion is a loop */

INLINE void store(float *out, vf values) { memcpy(out, &values, sizeof values); }

INLINE vu wide(const uint8_t *at) { /* 8 bytes */
    vb bytes;
    memcpy(&bytes, at, sizeof bytes);
    return __builtin_convertvector(bytes, vu);
}

INLINE vf of_ints(vu codes) { return __builtin_convertvector((vi)codes, vf); }

INLINE void bf16_run(const uint8_t *at, float *out) {
    vh bits;
    memcpy(&bits, at, sizeof bits);
    store(out, (vf)(__builtin_convertvector(bits, vu) << 16));
}

INLINE void f16_run(const uint8_t *at, float *out) {
    vh narrow;
    memcpy(&narrow, at, sizeof narrow);
    const vu bits = __builtin_convertvector(narrow, vu), magnitude = (bits & 0x7FFF) << 13;
    const vu special = (vu)((bits & 0x7C00) == 0x7C00);
    const vu finite = (vu)((vf)magnitude * 0x1p112f);
    store(out, (vf)((bits & 0x8000) << 16 | (special & (magnitude | 0x7F800000)) | (~special & finite)));
}

INLINE void f32_run(const uint8_t *at, float *out) { memcpy(out, at, RUN * 4); }

INLINE void q8_0(const uint8_t *at, float *out) {
    const float d = half(u16_at(at));
    for (int i = 0; i < 32; i += 8) {
        vc codes;
        memcpy(&codes, at + 2 + i, sizeof codes);
        store(out + i, __builtin_convertvector(__builtin_convertvector(codes, vi), vf) * d);
    }
}

INLINE void q4_0(const uint8_t *at, float *out) {
    const float d = half(u16_at(at));
    for (int i = 0; i < 16; i += 8) {
        const vu codes = wide(at + 2 + i);
        store(out + i, of_ints((codes & 15) - 8) * d);
        store(out + i + 16, of_ints((codes >> 4) - 8) * d);
    }
}

INLINE void q4_1(const uint8_t *at, float *out) {
    const float d = half(u16_at(at)), m = half(u16_at(at + 2));
    for (int i = 0; i < 16; i += 8) {
        const vu codes = wide(at + 4 + i);
        store(out + i, of_ints(codes & 15) * d + m);
        store(out + i + 16, of_ints(codes >> 4) * d + m);
    }
}

/* Eight codes of five bits from byte `i` on, low or high halves: nibbles, and one of 32 top bits each. */
INLINE vu fives(const uint8_t *at, int i, int high) {
    const vu places = {0, 1, 2, 3, 4, 5, 6, 7};
    uint32_t tops;
    memcpy(&tops, at, 4);
    const vu bits = (vu){0} + (tops >> (i + 16 * high));
    return (wide(at + 4 + i) >> (4 * high) & 15) | (bits >> places & 1) << 4;
}

INLINE void q5_0(const uint8_t *at, float *out) {
    const float d = half(u16_at(at));
    for (int high = 0; high < 2; high++)
        for (int i = 0; i < 16; i += 8) store(out + 16 * high + i, of_ints(fives(at + 2, i, high) - 16) * d);
}

INLINE void q5_1(const uint8_t *at, float *out) {
    const float d = half(u16_at(at)), m = half(u16_at(at + 2));
    for (int high = 0; high < 2; high++)
        for (int i = 0; i < 16; i += 8) store(out + 16 * high + i, of_ints(fives(at + 4, i, high)) * d + m);
}

/* The K types hold 256 elements in 32 groups of 8, two of which share a scale. */

INLINE void q2_k(const uint8_t *at, float *out) {
    const float d = half(u16_at(at + 80)), m = half(u16_at(at + 82));
    for (int group = 0; group < 32; group++) { /* 32 bytes hold four runs of 32 codes */
        const vu codes = wide(at + 16 + 32 * (group / 16) + 8 * (group % 4)) >> (2 * (group / 4 % 4)) & 3;
        const uint8_t scale = at[group / 2];
        store(out + 8 * group, of_ints(codes) * (d * (float)(scale & 15)) - m * (float)(scale >> 4));
    }
}

INLINE void q3_k(const uint8_t *at, float *out) {
    const float d = half(u16_at(at + 108));
    for (int group = 0; group < 32; group++) {
        const int pair = group / 2;
        const int low = pair < 8 ? at[96 + pair] & 15 : at[96 + pair - 8] >> 4;
        const int high = at[104 + pair % 4] >> (2 * (pair / 4)) & 3;
        const vu codes = wide(at + 32 + 32 * (group / 16) + 8 * (group % 4)) >> (2 * (group / 4 % 4)) & 3;
        const vu tops = wide(at + 8 * (group % 4)) >> (group / 4) & 1;
        store(out + 8 * group, of_ints(codes + tops * 4 - 4) * (d * (float)((low | high << 4) - 32)));
    }
}

/* Eight scales and eight minima of six bits each, in twelve bytes. */
INLINE void six_bits(const uint8_t *at, int i, int *scale, int *least) {
    *scale = i < 4 ? at[i] & 63 : (at[i + 4] & 15) | (at[i - 4] >> 6) << 4;
    *least = i < 4 ? at[i + 4] & 63 : at[i + 4] >> 4 | (at[i] >> 6) << 4;
}

INLINE void q4_k(const uint8_t *at, float *out) {
    const float d = half(u16_at(at)), m = half(u16_at(at + 2));
    for (int group = 0; group < 32; group++) {
        int scale, least;
        six_bits(at + 4, group / 4, &scale, &least);
        const vu codes = wide(at + 16 + 32 * (group / 8) + 8 * (group % 4)) >> (4 * (group / 4 % 2)) & 15;
        store(out + 8 * group, of_ints(codes) * (d * (float)scale) - m * (float)least);
    }
}

INLINE void q5_k(const uint8_t *at, float *out) {
    const float d = half(u16_at(at)), m = half(u16_at(at + 2));
    for (int group = 0; group < 32; group++) {
        int scale, least;
        six_bits(at + 4, group / 4, &scale, &least);
        const vu codes = wide(at + 48 + 32 * (group / 8) + 8 * (group % 4)) >> (4 * (group / 4 % 2)) & 15;
        const vu tops = wide(at + 16 + 8 * (group % 4)) >> (group / 4) & 1;
        store(out + 8 * group, of_ints(codes | tops << 4) * (d * (float)scale) - m * (float)least);
    }
}

INLINE void q6_k(const uint8_t *at, float *out) {
    const float d = half(u16_at(at + 208));
    const int8_t *scale = (const int8_t *)at + 192;
    for (int group = 0; group < 32; group++) {
        const int run = group / 4, here = 8 * (group % 4);
        const vu low = wide(at + 64 * (run / 4) + 32 * (run % 2) + here) >> (4 * (run % 4 / 2)) & 15;
        const vu high = wide(at + 128 + 32 * (run / 4) + here) >> (2 * (run % 4)) & 3;
        store(out + 8 * group, of_ints((low | high << 4) - 32) * (d * (float)scale[group / 2]));
    }
}

MEASURE(bf16_slowly, RUN, 2 * RUN, bf16_run)
MEASURE(f16, RUN, 2 * RUN, f16_run)
MEASURE(f32, RUN, 4 * RUN, f32_run)
MEASURE(q8_0_slowly, 32, 34, q8_0)
MEASURE(q4_0, 32, 18, q4_0)
MEASURE(q4_1, 32, 20, q4_1)
MEASURE(q5_0, 32, 22, q5_0)
MEASURE(q5_1, 32, 24, q5_1)
MEASURE(q2_k, 256, 84, q2_k)
MEASURE(q3_k, 256, 110, q3_k)
MEASURE(q4_k, 256, 144, q4_k)
MEASURE(q5_k, 256, 176, q5_k)
MEASURE(q6_k, 256, 210, q6_k)

/* Sixteen at a time. As signed integers the positive floats are in order and above the negative ones; as unsigned ones the negative
   floats are above the positive ones, the farthest from zero last: four integer reductions tell the extremes, NaN and zeros. */
FOR_EACH_PROCESSOR void measure_bf16(const uint8_t *data, size_t bytes, moments *into) {
    const size_t most = 2 * CHUNK;
    for (size_t done = 0; done < bytes; done += most) {
        const size_t now = bytes - done < most ? bytes - done : most, n = now / 2;
        const uint8_t *at = data + done;
        if (!into->count || now % 32) {
            measure_bf16_slowly(at, now, into);
            continue;
        }
        const float pivot = (float)into->mean;
        vf total = {0}, squares = {0}, total_too = {0}, squares_too = {0};
        vs high;
        vus bottom, top, zeros = {0};
        memcpy(&high, at, sizeof high);
        bottom = top = (vus)high;
        for (size_t i = 0; i < now; i += 32) {
            vus bits;
            memcpy(&bits, at + i, sizeof bits);
            high = PICK(vs, (vs)bits > high, (vs)bits, high);
            bottom = PICK(vus, bits < bottom, bits, bottom);
            top = PICK(vus, bits > top, bits, top);
            zeros -= (vus)(bits + bits == 0);
            /* Evens and odds: which value meets which lane does not matter. */
            const vf even = (vf)((vu)bits << 16) - pivot, odd = (vf)((vu)bits & 0xFFFF0000) - pivot;
            total += even;
            total_too += odd;
            squares += even * even;
            squares_too += odd * odd;
        }
        int16_t most_signed = high[0];
        uint16_t lowest = bottom[0], highest = top[0];
        double sum = 0, square = 0;
        for (int j = 0; j < 16; j++) {
            most_signed = high[j] > most_signed ? high[j] : most_signed;
            lowest = bottom[j] < lowest ? bottom[j] : lowest;
            highest = top[j] > highest ? top[j] : highest;
        }
        for (int j = 0; j < 8; j++) {
            sum += (double)total[j] + total_too[j];
            square += (double)squares[j] + squares_too[j];
        }
        if (most_signed >= 0x7F80 || highest >= 0xFF80 || !(square < 1e38) || (square < 1e-30 && lowest != highest)) {
            measure_bf16_slowly(at, now, into);
            continue;
        }
        for (int j = 0; j < 16; j++) into->zeros += zeros[j];
        const double first = float_of((uint32_t)(highest >= 0x8000 ? highest : lowest) << 16);
        const double last = float_of((uint32_t)(most_signed >= 0 ? (uint16_t)most_signed : lowest) << 16);
        if (first < into->low) into->low = first;
        if (last > into->high) into->high = last;
        const double mean = sum / (double)n, spread = square - sum * mean;
        merge(into, n, (double)pivot + mean, spread > 0 ? spread : 0);
    }
}

/* The commonest of the large types, without decoding: sums of codes and of their squares in integers, times the block's scale.
   Most blocks cannot reach beyond the extremes that were seen: only the others are looked at closely. */
FOR_EACH_PROCESSOR void measure_q8_0(const uint8_t *data, size_t bytes, moments *into) {
    const size_t blocks = bytes / 34, most = 64; /* at a time: no lane of counts overflows */
    for (size_t done = 0; done < blocks; done += most) {
        const size_t now = blocks - done < most ? blocks - done : most;
        const uint8_t *at = data + done * 34;
        vf total = {0}, squares = {0};
        vz zeros = {0};
        double low = into->low, high = into->high;
        uint64_t none = 0;
        int special = 0;
        for (size_t b = 0; b < now; b++, at += 34) {
            const uint16_t bits = u16_at(at);
            const float d = half(bits);
            vz codes;
            memcpy(&codes, at + 2, sizeof codes);
            const vs first = __builtin_convertvector(__builtin_shufflevector(codes, codes, FIRST_16), vs);
            const vs second = __builtin_convertvector(__builtin_shufflevector(codes, codes, LAST_16), vs);
            const vs sums = first + second, square = first * first + second * second; /* at most 2 * 128^2, unsigned */
            const v8s four = __builtin_shufflevector(sums, sums, FIRST_8) + __builtin_shufflevector(sums, sums, LAST_8);
            const v8u one = (v8u)__builtin_shufflevector(square, square, FIRST_8);
            const v8u other = (v8u)__builtin_shufflevector(square, square, LAST_8);
            const vu all = __builtin_convertvector(one, vu) + __builtin_convertvector(other, vu);
            total += __builtin_convertvector(__builtin_convertvector(four, vi), vf) * d;
            squares += of_ints(all) * (d * d);
            special |= (bits & 0x7C00) == 0x7C00;
            if ((bits & 0x7FFF) == 0) none += 32;
            else zeros -= (vz)(codes == 0);
            const float one_end = d * 127.0f, other_end = d * -128.0f;
            if ((d < 0 ? other_end : one_end) > high || (d < 0 ? one_end : other_end) < low)
                for (int i = 0; i < 32; i++) {
                    const double value = d * (float)(int8_t)at[2 + i];
                    low = value < low ? value : low;
                    high = value > high ? value : high;
                }
        }
        double sum = 0, square = 0;
        for (int j = 0; j < 8; j++) {
            sum += total[j];
            square += squares[j];
        }
        for (int j = 0; j < 32; j++) none += (uint64_t)zeros[j];
        const double n = 32.0 * (double)now, spread = square - sum * sum / n;
        if (special || spread < 0.02 * square || !(square < 1e38) || square < 1e-30) {
            measure_q8_0_slowly(data + done * 34, now * 34, into);
            continue;
        }
        into->zeros += none;
        into->low = low;
        into->high = high;
        merge(into, 32 * now, sum / n, spread);
    }
}

/* The float16 scale at byte `at` of every block of `bytes_each` bytes. */
void measure_scales(const uint8_t *data, size_t bytes, size_t bytes_each, size_t at, scales *into) {
    for (size_t done = 0; done + bytes_each <= bytes; done += bytes_each) {
        const uint16_t bits = u16_at(data + done + at), magnitude = bits & 0x7FFF;
        if (magnitude > 0x7C00) into->nan++;
        else if (magnitude == 0x7C00) into->inf++;
        else {
            const double value = half(bits);
            into->zeros += magnitude == 0;
            if (value < into->low) into->low = value;
            if (value > into->high) into->high = value;
        }
    }
}

/* CRC-32 of archives (ISO 3309, reflected polynomial 0xEDB88320), 16 bytes at a time: Gopal et al. (2009), "Fast CRC computation for generic
   polynomials using PCLMULQDQ instruction", Intel, whose constants these are. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

__attribute__((target("pclmul,sse4.1"))) static __m128i folded(__m128i at, __m128i by, __m128i next) {
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(at, by, 0x00), _mm_clmulepi64_si128(at, by, 0x11)), next);
}

__attribute__((target("pclmul,sse4.1"))) static uint32_t crc32_by_16(const uint8_t *data, size_t bytes, uint32_t state) {
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_8 = _mm_set_epi64x(0, 0x0163cd6124), barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0);
    const __m128i *at = (const __m128i *)data, *end = (const __m128i *)(data + bytes);
    __m128i a = _mm_xor_si128(_mm_loadu_si128(at), _mm_cvtsi32_si128((int)state));
    __m128i b = _mm_loadu_si128(at + 1), c = _mm_loadu_si128(at + 2), d = _mm_loadu_si128(at + 3);
    for (at += 4; end - at >= 4; at += 4) {
        a = folded(a, by_64, _mm_loadu_si128(at));
        b = folded(b, by_64, _mm_loadu_si128(at + 1));
        c = folded(c, by_64, _mm_loadu_si128(at + 2));
        d = folded(d, by_64, _mm_loadu_si128(at + 3));
    }
    a = folded(folded(folded(a, by_16, b), by_16, c), by_16, d);
    for (; at < end; at++) a = folded(a, by_16, _mm_loadu_si128(at));
    /* 128 bits to 96, to 64, and to 32 by Barrett's reduction. */
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by_16, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low), by_8, 0x00));
    b = _mm_clmulepi64_si128(_mm_and_si128(a, low), barrett, 0x10);
    b = _mm_clmulepi64_si128(_mm_and_si128(b, low), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, b), 1);
}

/* Goes on from `crc` over `bytes` (at least 64, a multiple of 16) into `*crc`; returns 0 where the processor cannot. */
int update_crc32(const uint8_t *data, size_t bytes, uint32_t *crc) {
    if (!__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1")) return 0;
    *crc = ~crc32_by_16(data, bytes, ~*crc);
    return 1;
}
#else
int update_crc32(const uint8_t *data, size_t bytes, uint32_t *crc) {
    (void)data, (void)bytes, (void)crc;
    return 0;
}
#endif
