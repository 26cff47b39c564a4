; Decimal addition on text, in LLVM's assembly language, which is the same for every machine.
;
; Sixty-four digits are one vector. LLVM lowers it to whatever the machine has (AVX-512, AVX2,
; SSE2, NEON), so the same lines run everywhere, and no C compiler is needed. The language is
; described in the LLVM Language Reference Manual; a name after % is a value, given once.

; Where terms lie: positions[0] = 0, positions[i+1] = positions[i] + digits of term i + 1 space.
;
; The digit count of a term is max(floor(x), 0) + 1, and x grows by log10 phi from term to term
; (docs/text-format.md, section 2). Both are given in 64 + 192 bit fixed point, so that this is
; layout.digit_count, exact as far as that is. Fills count + 1 entries.
define void @positions(ptr %positions, i64 %count, ptr %first_x, ptr %log10_phi) {
entry:
  %x_0  = load i256, ptr %first_x, align 1
  %step = load i256, ptr %log10_phi, align 1
  br label %next

next:
  %i        = phi i64 [0, %entry], [%i_next, %term]
  %x        = phi i256 [%x_0, %entry], [%x_next, %term]
  %position = phi i64 [0, %entry], [%position_next, %term]
  %entry_i  = getelementptr i64, ptr %positions, i64 %i
  store i64 %position, ptr %entry_i
  %more     = icmp ult i64 %i, %count
  br i1 %more, label %term, label %done

term:
  %floor_x       = ashr i256 %x, 192
  %floor         = trunc i256 %floor_x to i64
  %not_negative  = call i64 @llvm.smax.i64(i64 %floor, i64 0)
  %and_space     = add i64 %not_negative, 2
  %position_next = add i64 %position, %and_space
  %x_next        = add i256 %x, %step
  %i_next        = add i64 %i, 1
  br label %next

done:
  ret void
}

; The sum of 64 digits of two terms, in ASCII, most significant digit first.
;
; One addition gives all 64 digit sums, from '0'+'0' = 96 to '9'+'9' = 114. A digit sum above
; 9 (105) generates a carry; one of 9 propagates the carry that comes in. As bits of two words,
; least significant digit first, the carries of all 64 digits are one binary addition: a one
; added at the foot of a run of ones ripples up through it, just as a carry does through nines.
; Returns the sum, and the carry (0 or 1) out of its first digit.
define private {<64 x i8>, i64} @add64(<64 x i8> %a, <64 x i8> %b, i64 %carry_in) alwaysinline {
  %text      = add <64 x i8> %a, %b
  %sums      = call <64 x i8> @llvm.vector.reverse.v64i8(<64 x i8> %text)
  %over_nine = icmp ugt <64 x i8> %sums, splat (i8 105)
  %nine      = icmp eq  <64 x i8> %sums, splat (i8 105)
  %generate  = bitcast <64 x i1> %over_nine to i64
  %propagate = bitcast <64 x i1> %nine to i64

  %shifted   = shl i64 %generate, 1
  %arriving  = or  i64 %shifted, %carry_in
  %rippled   = add i64 %arriving, %propagate
  %carry_ins = xor i64 %rippled, %propagate
  %passed_on = and i64 %propagate, %carry_ins
  %carries   = or  i64 %generate, %passed_on
  %carry_out = lshr i64 %carries, 63

  %plus_one  = bitcast i64 %carry_ins to <64 x i1>
  %minus_ten = bitcast i64 %carries to <64 x i1>
  %one       = zext <64 x i1> %plus_one to <64 x i8>
  %ten       = select <64 x i1> %minus_ten, <64 x i8> splat (i8 58), <64 x i8> splat (i8 48)
  %with_one  = add <64 x i8> %sums, %one
  %digits    = sub <64 x i8> %with_one, %ten
  %sum       = call <64 x i8> @llvm.vector.reverse.v64i8(<64 x i8> %digits)

  %partial   = insertvalue {<64 x i8>, i64} poison, <64 x i8> %sum, 0
  %result    = insertvalue {<64 x i8>, i64} %partial, i64 %carry_out, 1
  ret {<64 x i8>, i64} %result
}

; Which of the 64 bytes before a term's end are digits of it, when %left of its digits are left.
define private <64 x i1> @last_digits(i64 %left) alwaysinline {
  %lane    = call <64 x i8> @llvm.stepvector.v64i8()
  %skipped = sub i64 64, %left
  %narrow  = trunc i64 %skipped to i8
  %first   = insertelement <64 x i8> poison, i8 %narrow, i64 0
  %firsts  = shufflevector <64 x i8> %first, <64 x i8> poison, <64 x i32> zeroinitializer
  %digits  = icmp uge <64 x i8> %lane, %firsts
  ret <64 x i1> %digits
}

; Writes terms first .. stop-1, each with its space, straight after the two before them.
;
; Term k lies at text + positions[k] and ends in a space just before text + positions[k+1], so
; positions has stop + 1 entries. Up to 64 bytes before the operands are read, and not used.
define void @append(ptr %text, ptr %positions, i64 %first, i64 %stop) {
entry:
  br label %next_term

next_term:
  %k    = phi i64 [%first, %entry], [%k_next, %finish]
  %more = icmp ult i64 %k, %stop
  br i1 %more, label %term, label %done

term:
  ; The operands a = term k-2 and b = term k-1, the sum s = term k: where each starts and ends.
  %a_at      = getelementptr i64, ptr %positions, i64 %k
  %a_entry   = getelementptr i64, ptr %a_at, i64 -2
  %b_entry   = getelementptr i64, ptr %a_at, i64 -1
  %end_entry = getelementptr i64, ptr %a_at, i64 1
  %a_start   = load i64, ptr %a_entry
  %b_start   = load i64, ptr %b_entry
  %s_start   = load i64, ptr %a_at
  %s_stop    = load i64, ptr %end_entry
  %a_end     = sub i64 %b_start, 1
  %b_end     = sub i64 %s_start, 1
  %s_end     = sub i64 %s_stop, 1
  %a_count   = sub i64 %a_end, %a_start
  %b_count   = sub i64 %b_end, %b_start
  %s_count   = sub i64 %s_end, %s_start
  %space     = getelementptr i8, ptr %text, i64 %s_end
  store i8 32, ptr %space
  br label %next_block

next_block:
  ; The sum has at most one digit more than a, so a block before its last one is whole in all.
  %done_count  = phi i64 [0, %term], [%then_count, %block]
  %carry       = phi i64 [0, %term], [%carry_out, %block]
  %then_count  = add i64 %done_count, 64
  %not_last    = icmp ult i64 %then_count, %s_count
  %a_from      = sub i64 %a_end, %then_count
  %b_from      = sub i64 %b_end, %then_count
  %s_from      = sub i64 %s_end, %then_count
  %a_ptr       = getelementptr i8, ptr %text, i64 %a_from
  %b_ptr       = getelementptr i8, ptr %text, i64 %b_from
  %s_ptr       = getelementptr i8, ptr %text, i64 %s_from
  %a           = load <64 x i8>, ptr %a_ptr, align 1
  %b           = load <64 x i8>, ptr %b_ptr, align 1
  br i1 %not_last, label %block, label %finish

block:
  %added       = call {<64 x i8>, i64} @add64(<64 x i8> %a, <64 x i8> %b, i64 %carry)
  %sum         = extractvalue {<64 x i8>, i64} %added, 0
  %carry_out   = extractvalue {<64 x i8>, i64} %added, 1
  store <64 x i8> %sum, ptr %s_ptr, align 1
  br label %next_block

finish:
  ; The first digits: what is no digit of an operand counts as '0', and what lies before the
  ; sum, the end of the term before it, stays as it is.
  %a_left      = sub i64 %a_count, %done_count
  %b_left      = sub i64 %b_count, %done_count
  %s_left      = sub i64 %s_count, %done_count
  %a_mask      = call <64 x i1> @last_digits(i64 %a_left)
  %b_mask      = call <64 x i1> @last_digits(i64 %b_left)
  %s_mask      = call <64 x i1> @last_digits(i64 %s_left)
  %a_digits    = select <64 x i1> %a_mask, <64 x i8> %a, <64 x i8> splat (i8 48)
  %b_digits    = select <64 x i1> %b_mask, <64 x i8> %b, <64 x i8> splat (i8 48)
  %first_added = call {<64 x i8>, i64} @add64(<64 x i8> %a_digits, <64 x i8> %b_digits, i64 %carry)
  %first_sum   = extractvalue {<64 x i8>, i64} %first_added, 0
  %before      = load <64 x i8>, ptr %s_ptr, align 1
  %blended     = select <64 x i1> %s_mask, <64 x i8> %first_sum, <64 x i8> %before
  store <64 x i8> %blended, ptr %s_ptr, align 1
  %k_next      = add i64 %k, 1
  br label %next_term

done:
  ret void
}
