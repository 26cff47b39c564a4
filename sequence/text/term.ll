; Products of long numbers by number-theoretic transforms, in LLVM's assembly language.
;
; A number is an array of limbs, the lowest first, each below a base such as 10^6 or 16^5. As
; coefficients of a polynomial they are evaluated at all powers of a root of unity, modulo
; p = 2^64 - 2^32 + 1; there a product of polynomials is one multiplication a point. Every number
; of i64 here is a residue from 0 to p - 1, unless it is said to be a limb, a count or a pointer.
;
; The transform needs no permutation: it leaves the points in bit-reversed order and its inverse
; takes them so. It divides by x^2L - r^2, as (x^L - r)(x^L + r), and goes on with each factor;
; the roots r are the same for all lengths, in the order of their blocks (@roots).
; Source: D. J. Bernstein, Multidigit multiplication for mathematicians (2001), section 2.

; The product modulo p, where 2^64 is 2^32 - 1 and 2^96 is -1.
define private i64 @times(i64 %a, i64 %b) alwaysinline {
  %wide_a     = zext i64 %a to i128
  %wide_b     = zext i64 %b to i128
  %product    = mul nuw i128 %wide_a, %wide_b
  %low        = trunc i128 %product to i64
  %upper      = lshr i128 %product, 64
  %high       = trunc i128 %upper to i64
  %times_96   = lshr i64 %high, 32
  %times_64   = and i64 %high, 4294967295
  ; low - times_96: a borrow of 2^64 is one of 2^32 - 1.
  %reduced    = sub i64 %low, %times_96
  %borrow     = icmp ult i64 %low, %times_96
  %paid       = sub i64 %reduced, 4294967295
  %lower      = select i1 %borrow, i64 %paid, i64 %reduced
  ; + times_64 * (2^32 - 1), a carry likewise.
  %shifted    = shl i64 %times_64, 32
  %middle     = sub i64 %shifted, %times_64
  %sum        = add i64 %lower, %middle
  %carry      = icmp ult i64 %sum, %middle
  %carried    = add i64 %sum, 4294967295
  %total      = select i1 %carry, i64 %carried, i64 %sum
  %too_much   = icmp uge i64 %total, 18446744069414584321
  %less_p     = sub i64 %total, 18446744069414584321
  %result     = select i1 %too_much, i64 %less_p, i64 %total
  ret i64 %result
}

; The difference modulo p.
define private i64 @minus(i64 %a, i64 %b) alwaysinline {
  %difference = sub i64 %a, %b
  %borrow     = icmp ult i64 %a, %b
  %plus_p     = add i64 %difference, 18446744069414584321
  %result     = select i1 %borrow, i64 %plus_p, i64 %difference
  ret i64 %result
}

; The sum modulo p, which is a - (p - b).
define private i64 @plus(i64 %a, i64 %b) alwaysinline {
  %negated    = sub i64 18446744069414584321, %b
  %difference = sub i64 %a, %negated
  %borrow     = icmp ult i64 %a, %negated
  %plus_p     = add i64 %difference, 18446744069414584321
  %result     = select i1 %borrow, i64 %plus_p, i64 %difference
  ret i64 %result
}

; The same for eight pairs at once: products of halves, as vectors have none of 128 bits. LLVM
; lowers a vector to what the machine has; on the oldest processors it is as fast as one by one.
define private <8 x i64> @times_8(<8 x i64> %a, <8 x i64> %b) alwaysinline {
  %a_low      = and <8 x i64> %a, splat (i64 4294967295)
  %b_low      = and <8 x i64> %b, splat (i64 4294967295)
  %a_high     = lshr <8 x i64> %a, splat (i64 32)
  %b_high     = lshr <8 x i64> %b, splat (i64 32)
  %low_low    = mul <8 x i64> %a_low, %b_low
  %low_high   = mul <8 x i64> %a_low, %b_high
  %high_low   = mul <8 x i64> %a_high, %b_low
  %high_high  = mul <8 x i64> %a_high, %b_high
  %from_low   = lshr <8 x i64> %low_low, splat (i64 32)
  %one_middle = add <8 x i64> %low_high, %from_low
  %middle_low = and <8 x i64> %one_middle, splat (i64 4294967295)
  %two_middle = add <8 x i64> %high_low, %middle_low
  %from_one   = lshr <8 x i64> %one_middle, splat (i64 32)
  %from_two   = lshr <8 x i64> %two_middle, splat (i64 32)
  %with_one   = add <8 x i64> %high_high, %from_one
  %high       = add <8 x i64> %with_one, %from_two
  %low_half   = and <8 x i64> %low_low, splat (i64 4294967295)
  %upper_half = shl <8 x i64> %two_middle, splat (i64 32)
  %low        = or <8 x i64> %upper_half, %low_half
  %times_96   = lshr <8 x i64> %high, splat (i64 32)
  %times_64   = and <8 x i64> %high, splat (i64 4294967295)
  %reduced    = sub <8 x i64> %low, %times_96
  %borrow     = icmp ult <8 x i64> %low, %times_96
  %paid       = sub <8 x i64> %reduced, splat (i64 4294967295)
  %lower      = select <8 x i1> %borrow, <8 x i64> %paid, <8 x i64> %reduced
  %shifted    = shl <8 x i64> %times_64, splat (i64 32)
  %middle     = sub <8 x i64> %shifted, %times_64
  %sum        = add <8 x i64> %lower, %middle
  %carry      = icmp ult <8 x i64> %sum, %middle
  %carried    = add <8 x i64> %sum, splat (i64 4294967295)
  %total      = select <8 x i1> %carry, <8 x i64> %carried, <8 x i64> %sum
  %too_much   = icmp uge <8 x i64> %total, splat (i64 18446744069414584321)
  %less_p     = sub <8 x i64> %total, splat (i64 18446744069414584321)
  %result     = select <8 x i1> %too_much, <8 x i64> %less_p, <8 x i64> %total
  ret <8 x i64> %result
}

; The differences.
define private <8 x i64> @minus_8(<8 x i64> %a, <8 x i64> %b) alwaysinline {
  %difference = sub <8 x i64> %a, %b
  %borrow     = icmp ult <8 x i64> %a, %b
  %plus_p     = add <8 x i64> %difference, splat (i64 18446744069414584321)
  %result     = select <8 x i1> %borrow, <8 x i64> %plus_p, <8 x i64> %difference
  ret <8 x i64> %result
}

; The sums.
define private <8 x i64> @plus_8(<8 x i64> %a, <8 x i64> %b) alwaysinline {
  %negated    = sub <8 x i64> splat (i64 18446744069414584321), %b
  %difference = sub <8 x i64> %a, %negated
  %borrow     = icmp ult <8 x i64> %a, %negated
  %plus_p     = add <8 x i64> %difference, splat (i64 18446744069414584321)
  %result     = select <8 x i1> %borrow, <8 x i64> %plus_p, <8 x i64> %difference
  ret <8 x i64> %result
}

; The number at that place, eight times.
define private <8 x i64> @eight_of(ptr %at) alwaysinline {
  %number     = load i64, ptr %at
  %one        = insertelement <8 x i64> poison, i64 %number, i64 0
  %all        = shufflevector <8 x i64> %one, <8 x i64> poison, <8 x i32> zeroinitializer
  ret <8 x i64> %all
}

; Fills 2^%doublings roots: roots[0] = 1, and roots[2^k + i] = roots[i] * units[k] for i < 2^k.
define void @roots(ptr %roots, i64 %doublings, ptr %units) {
entry:
  store i64 1, ptr %roots
  br label %next_doubling

next_doubling:
  %k          = phi i64 [0, %entry], [%k_next, %doubled]
  %more       = icmp ult i64 %k, %doublings
  br i1 %more, label %doubling, label %done

doubling:
  %count      = shl i64 1, %k
  %unit_at    = getelementptr i64, ptr %units, i64 %k
  %unit       = load i64, ptr %unit_at
  %upper      = getelementptr i64, ptr %roots, i64 %count
  br label %root

root:
  %i          = phi i64 [0, %doubling], [%i_next, %root]
  %from       = getelementptr i64, ptr %roots, i64 %i
  %to         = getelementptr i64, ptr %upper, i64 %i
  %lower_root = load i64, ptr %from
  %upper_root = call i64 @times(i64 %lower_root, i64 %unit)
  store i64 %upper_root, ptr %to
  %i_next     = add i64 %i, 1
  %more_roots = icmp ult i64 %i_next, %count
  br i1 %more_roots, label %root, label %doubled

doubled:
  %k_next     = add i64 %k, 1
  br label %next_doubling

done:
  ret void
}

; The places of butterfly j of blocks of 2^(log + 1) values, and its block.
define private {ptr, ptr, i64} @butterfly(ptr %values, i64 %j, i64 %log) alwaysinline {
  %block      = lshr i64 %j, %log
  %before     = shl i64 %block, %log
  %lower_i    = add i64 %before, %j  ; each block before has twice as many values
  %half       = shl i64 1, %log
  %lower      = getelementptr i64, ptr %values, i64 %lower_i
  %upper      = getelementptr i64, ptr %lower, i64 %half
  %one        = insertvalue {ptr, ptr, i64} poison, ptr %lower, 0
  %two        = insertvalue {ptr, ptr, i64} %one, ptr %upper, 1
  %three      = insertvalue {ptr, ptr, i64} %two, i64 %block, 2
  ret {ptr, ptr, i64} %three
}

; The transform, in place, of 2^%levels values. In all but the last three levels eight butterflies
; in a row belong to one block: they are computed at once.
define void @transform(ptr %values, i64 %levels, ptr %roots) {
entry:
  %butterflies_2 = shl i64 1, %levels
  %butterflies   = lshr i64 %butterflies_2, 1
  br label %next_level

next_level:
  %log        = phi i64 [%levels, %entry], [%log_next, %level]
  %more       = icmp ugt i64 %log, 0
  %log_next   = sub i64 %log, 1
  br i1 %more, label %level_entry, label %done

level_entry:
  %are_long   = icmp uge i64 %log_next, 3
  br i1 %are_long, label %eight, label %butterfly

eight:
  %j_8        = phi i64 [0, %level_entry], [%j_8_next, %eight]
  %places_8   = call {ptr, ptr, i64} @butterfly(ptr %values, i64 %j_8, i64 %log_next)
  %lower_8    = extractvalue {ptr, ptr, i64} %places_8, 0
  %upper_8    = extractvalue {ptr, ptr, i64} %places_8, 1
  %block_8    = extractvalue {ptr, ptr, i64} %places_8, 2
  %root_at_8  = getelementptr i64, ptr %roots, i64 %block_8
  %root_8     = call <8 x i64> @eight_of(ptr %root_at_8)
  %a_8        = load <8 x i64>, ptr %lower_8, align 8
  %b_8        = load <8 x i64>, ptr %upper_8, align 8
  %turned_8   = call <8 x i64> @times_8(<8 x i64> %b_8, <8 x i64> %root_8)
  %sum_8      = call <8 x i64> @plus_8(<8 x i64> %a_8, <8 x i64> %turned_8)
  %minus_8    = call <8 x i64> @minus_8(<8 x i64> %a_8, <8 x i64> %turned_8)
  store <8 x i64> %sum_8, ptr %lower_8, align 8
  store <8 x i64> %minus_8, ptr %upper_8, align 8
  %j_8_next   = add i64 %j_8, 8
  %more_8     = icmp ult i64 %j_8_next, %butterflies
  br i1 %more_8, label %eight, label %level

butterfly:
  %j          = phi i64 [0, %level_entry], [%j_next, %butterfly]
  %places     = call {ptr, ptr, i64} @butterfly(ptr %values, i64 %j, i64 %log_next)
  %lower      = extractvalue {ptr, ptr, i64} %places, 0
  %upper      = extractvalue {ptr, ptr, i64} %places, 1
  %block      = extractvalue {ptr, ptr, i64} %places, 2
  %root_at    = getelementptr i64, ptr %roots, i64 %block
  %root       = load i64, ptr %root_at
  %a          = load i64, ptr %lower
  %b          = load i64, ptr %upper
  %turned     = call i64 @times(i64 %b, i64 %root)
  %sum        = call i64 @plus(i64 %a, i64 %turned)
  %difference = call i64 @minus(i64 %a, i64 %turned)
  store i64 %sum, ptr %lower
  store i64 %difference, ptr %upper
  %j_next     = add i64 %j, 1
  %more_here  = icmp ult i64 %j_next, %butterflies
  br i1 %more_here, label %butterfly, label %level

level:
  br label %next_level

done:
  ret void
}

; The inverse of the transform, times 2^%levels, from the reciprocals of the roots.
define void @inverse(ptr %values, i64 %levels, ptr %reciprocals) {
entry:
  %butterflies_2 = shl i64 1, %levels
  %butterflies   = lshr i64 %butterflies_2, 1
  br label %next_level

next_level:
  %log        = phi i64 [0, %entry], [%log_next, %level]
  %more       = icmp ult i64 %log, %levels
  br i1 %more, label %level_entry, label %done

level_entry:
  %are_long   = icmp uge i64 %log, 3
  br i1 %are_long, label %eight, label %butterfly

eight:
  %j_8        = phi i64 [0, %level_entry], [%j_8_next, %eight]
  %places_8   = call {ptr, ptr, i64} @butterfly(ptr %values, i64 %j_8, i64 %log)
  %lower_8    = extractvalue {ptr, ptr, i64} %places_8, 0
  %upper_8    = extractvalue {ptr, ptr, i64} %places_8, 1
  %block_8    = extractvalue {ptr, ptr, i64} %places_8, 2
  %root_at_8  = getelementptr i64, ptr %reciprocals, i64 %block_8
  %root_8     = call <8 x i64> @eight_of(ptr %root_at_8)
  %a_8        = load <8 x i64>, ptr %lower_8, align 8
  %b_8        = load <8 x i64>, ptr %upper_8, align 8
  %sum_8      = call <8 x i64> @plus_8(<8 x i64> %a_8, <8 x i64> %b_8)
  %minus_8    = call <8 x i64> @minus_8(<8 x i64> %a_8, <8 x i64> %b_8)
  %turned_8   = call <8 x i64> @times_8(<8 x i64> %minus_8, <8 x i64> %root_8)
  store <8 x i64> %sum_8, ptr %lower_8, align 8
  store <8 x i64> %turned_8, ptr %upper_8, align 8
  %j_8_next   = add i64 %j_8, 8
  %more_8     = icmp ult i64 %j_8_next, %butterflies
  br i1 %more_8, label %eight, label %level

butterfly:
  %j          = phi i64 [0, %level_entry], [%j_next, %butterfly]
  %places     = call {ptr, ptr, i64} @butterfly(ptr %values, i64 %j, i64 %log)
  %lower      = extractvalue {ptr, ptr, i64} %places, 0
  %upper      = extractvalue {ptr, ptr, i64} %places, 1
  %block      = extractvalue {ptr, ptr, i64} %places, 2
  %root_at    = getelementptr i64, ptr %reciprocals, i64 %block
  %root       = load i64, ptr %root_at
  %a          = load i64, ptr %lower
  %b          = load i64, ptr %upper
  %sum        = call i64 @plus(i64 %a, i64 %b)
  %difference = call i64 @minus(i64 %a, i64 %b)
  %turned     = call i64 @times(i64 %difference, i64 %root)
  store i64 %sum, ptr %lower
  store i64 %turned, ptr %upper
  %j_next     = add i64 %j, 1
  %more_here  = icmp ult i64 %j_next, %butterflies
  br i1 %more_here, label %butterfly, label %level

level:
  %log_next   = add i64 %log, 1
  br label %next_level

done:
  ret void
}

; From a = F(k-1) and b = F(k) at each point the same at 2k, or at 2k+1 if %plus_one, all times
; %scale: F(2k-1) = a^2 + b^2, F(2k) = b(2a + b), and F(2k+1) is their sum.
define void @double(ptr %before, ptr %values, i64 %count, i64 %scale, i1 %plus_one) {
entry:
  br label %point

point:
  %i          = phi i64 [0, %entry], [%i_next, %point]
  %before_at  = getelementptr i64, ptr %before, i64 %i
  %value_at   = getelementptr i64, ptr %values, i64 %i
  %a          = load i64, ptr %before_at
  %b          = load i64, ptr %value_at
  %scaled_a   = call i64 @times(i64 %a, i64 %scale)
  %scaled_b   = call i64 @times(i64 %b, i64 %scale)
  %a_squared  = call i64 @times(i64 %a, i64 %scaled_a)
  %b_squared  = call i64 @times(i64 %b, i64 %scaled_b)
  %product    = call i64 @times(i64 %a, i64 %scaled_b)
  %odd        = call i64 @plus(i64 %a_squared, i64 %b_squared)
  %twice      = call i64 @plus(i64 %product, i64 %product)
  %even       = call i64 @plus(i64 %twice, i64 %b_squared)
  %sum        = call i64 @plus(i64 %odd, i64 %even)
  %new_before = select i1 %plus_one, i64 %even, i64 %odd
  %new_value  = select i1 %plus_one, i64 %sum, i64 %even
  store i64 %new_before, ptr %before_at
  store i64 %new_value, ptr %value_at
  %i_next     = add i64 %i, 1
  %more       = icmp ult i64 %i_next, %count
  br i1 %more, label %point, label %done

done:
  ret void
}

; Makes limbs below the base of so many sums of products; returns what is carried out of the last.
define i64 @carry(ptr %limbs, i64 %count, i64 %base) {
entry:
  br label %limb

limb:
  %i          = phi i64 [0, %entry], [%i_next, %limb]
  %carry_in   = phi i64 [0, %entry], [%carry_out, %limb]
  %limb_at    = getelementptr i64, ptr %limbs, i64 %i
  %products   = load i64, ptr %limb_at
  %sum        = add i64 %products, %carry_in
  %carry_out  = udiv i64 %sum, %base
  %whole      = mul i64 %carry_out, %base
  %left       = sub i64 %sum, %whole
  store i64 %left, ptr %limb_at
  %i_next     = add i64 %i, 1
  %more       = icmp ult i64 %i_next, %count
  br i1 %more, label %limb, label %done

done:
  ret i64 %carry_out
}

; The number modulo 2^61 - 1.
define i64 @residue(ptr %limbs, i64 %count, i64 %base) {
entry:
  br label %limb

limb:
  %left       = phi i64 [%count, %entry], [%i, %limb]
  %residue    = phi i64 [0, %entry], [%reduced, %limb]
  %i          = sub i64 %left, 1
  %limb_at    = getelementptr i64, ptr %limbs, i64 %i
  %next       = load i64, ptr %limb_at
  %wide       = zext i64 %residue to i128
  %wide_base  = zext i64 %base to i128
  %wide_next  = zext i64 %next to i128
  %product    = mul i128 %wide, %wide_base
  %sum        = add i128 %product, %wide_next
  ; 2^61 is 1.
  %low_word   = trunc i128 %sum to i64
  %low        = and i64 %low_word, 2305843009213693951
  %high_wide  = lshr i128 %sum, 61
  %high       = trunc i128 %high_wide to i64
  %both       = add i64 %low, %high
  %too_much   = icmp uge i64 %both, 2305843009213693951
  %less       = sub i64 %both, 2305843009213693951
  %reduced    = select i1 %too_much, i64 %less, i64 %both
  %more       = icmp ugt i64 %i, 0
  br i1 %more, label %limb, label %done

done:
  ret i64 %reduced
}

; Writes the limbs, the highest first, each as so many digits in the radix, 10 or 16.
define void @digits(ptr %limbs, i64 %count, i64 %width, i32 %radix, ptr %text) {
entry:
  %length     = mul i64 %count, %width
  br label %limb

limb:
  %i          = phi i64 [0, %entry], [%i_next, %written]
  %stop       = phi i64 [%length, %entry], [%start, %written]
  %limb_at    = getelementptr i64, ptr %limbs, i64 %i
  %value      = load i64, ptr %limb_at
  %narrow     = trunc i64 %value to i32
  %start      = sub i64 %stop, %width
  br label %each_digit

each_digit:
  %end        = phi i64 [%stop, %limb], [%at, %each_digit]
  %rest       = phi i32 [%narrow, %limb], [%quotient, %each_digit]
  %at         = sub i64 %end, 1
  %quotient   = udiv i32 %rest, %radix
  %whole      = mul i32 %quotient, %radix
  %digit_32   = sub i32 %rest, %whole
  %digit      = trunc i32 %digit_32 to i8
  %is_letter  = icmp ugt i8 %digit, 9
  %from       = select i1 %is_letter, i8 87, i8 48  ; 'a' is 97
  %character  = add i8 %digit, %from
  %to         = getelementptr i8, ptr %text, i64 %at
  store i8 %character, ptr %to
  %more       = icmp ugt i64 %at, %start
  br i1 %more, label %each_digit, label %written

written:
  %i_next     = add i64 %i, 1
  %more_limbs = icmp ult i64 %i_next, %count
  br i1 %more_limbs, label %limb, label %done

done:
  ret void
}
