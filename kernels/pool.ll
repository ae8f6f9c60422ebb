; The threads of `pool.py`, where what they are for is told, and what stands for words in capitals: SEATS for the number of
; threads in all, KEY for the type of POSIX's pthread_key_t, SIG_BLOCK and SIG_SETMASK for the system's numbers.
;
; The word @state: the workers inside the region (its lowest 16 bits), whether more may come (bit 31), and the region's
; number (from bit 32).

declare i32 @pthread_create(i64*, i8*, i8* (i8*)*, i8*)
declare i32 @pthread_mutex_init(i8*, i8*)
declare i32 @pthread_mutex_lock(i8*)
declare i32 @pthread_mutex_unlock(i8*)
declare i32 @pthread_cond_init(i8*, i8*)
declare i32 @pthread_cond_wait(i8*, i8*)
declare i32 @pthread_cond_signal(i8*)
declare i32 @pthread_key_create(KEY*, i8*)
declare i8* @pthread_getspecific(KEY)
declare i32 @pthread_setspecific(KEY, i8*)
declare i32 @pthread_sigmask(i32, i8*, i8*)
declare void @llvm.x86.sse2.pause()

@state = global i64 0, align 64
@taken = global i64 0, align 64
@workers = global i64 -1, align 64 ; before they are started
@patience = global i64 0
@key = global KEY 0
@blocked = global [128 x i8] zeroinitializer, align 64
@set_num_threads = global void (i64)* null

; the region: what parallel_for was called with, and the range that is given out
@function = global void (i8**, i64*, i64*, i8*)* null
@arguments = global i8** null
@dimensions = global i64* null
@steps = global i64* null
@data = global i8* null
@n_dimensions = global i64 0
@n_arrays = global i64 0
@threads = global i64 0
@first = global i64 0
@count = global i64 0
@unit = global i64 1 ; how many numbers parts are counted in
@units = global i64 0
@splits = global i1 false

; What is left of each thread's part of the range: where it begins (lowest 32 bits) and ends (from bit 32), in units. A line
; of the cache and its neighbour, which is fetched with it, hold no other.
@parts = global [SEATS x [16 x i64]] zeroinitializer, align 128

; who sleeps: number 0 is the caller
@mutex = global [128 x i8] zeroinitializer, align 64
@wake = global [SEATS x [128 x i8]] zeroinitializer, align 64
@sleeping = global [SEATS x i64] zeroinitializer, align 64
@failures = global [SEATS x i64] zeroinitializer, align 64
@skipped = global [SEATS x i64] zeroinitializer, align 64

define i8* @condition(i64 %id) {
  %p = getelementptr [SEATS x [128 x i8]], [SEATS x [128 x i8]]* @wake, i64 0, i64 %id, i64 0
  ret i8* %p
}

define i8* @mutex_place() {
  %p = getelementptr [128 x i8], [128 x i8]* @mutex, i64 0, i64 0
  ret i8* %p
}

; Whether there is what thread ``id`` waits for: the caller for the last worker to leave; a worker for a region that is open to it
; and is not the one it has seen.
define i1 @ready(i64 %id, i64 %seen) {
  %s = load atomic i64, i64* @state seq_cst, align 8
  %is_caller = icmp eq i64 %id, 0
  br i1 %is_caller, label %caller, label %worker
caller:
  %inside = and i64 %s, 65535
  %empty = icmp eq i64 %inside, 0
  ret i1 %empty
worker:
  %open = and i64 %s, 2147483648
  %is_open = icmp ne i64 %open, 0
  %number = lshr i64 %s, 32
  %is_new = icmp ne i64 %number, %seen
  %n = load atomic i64, i64* @threads monotonic, align 8
  %is_asked = icmp ult i64 %id, %n
  %a = and i1 %is_open, %is_new
  %b = and i1 %a, %is_asked
  ret i1 %b
}

define i64 @look(i64 %times) {
entry:
  br label %again
again:
  %k = phi i64 [ 0, %entry ], [ %k1, %again ]
  %found = call i1 @ready(i64 1, i64 0)
  call void @llvm.x86.sse2.pause()
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, %times
  br i1 %more, label %again, label %end
end:
  ret i64 %k1
}

; Come back when there is what thread ``id`` waits for: look for it, unless that was in vain lately, then sleep.
define void @await(i64 %id, i64 %seen) {
entry:
  %failures = getelementptr [SEATS x i64], [SEATS x i64]* @failures, i64 0, i64 %id
  %skipped = getelementptr [SEATS x i64], [SEATS x i64]* @skipped, i64 0, i64 %id
  %asleep = getelementptr [SEATS x i64], [SEATS x i64]* @sleeping, i64 0, i64 %id
  %mutex = call i8* @mutex_place()
  %condition = call i8* @condition(i64 %id)
  %now = call i1 @ready(i64 %id, i64 %seen)
  br i1 %now, label %end, label %consider
consider:
  %f = load i64, i64* %failures
  %left = load i64, i64* %skipped
  %skips = icmp sgt i64 %left, 0
  br i1 %skips, label %skip, label %begin
skip:
  %left1 = sub i64 %left, 1
  store i64 %left1, i64* %skipped
  br label %sleep
begin:
  %patience = load i64, i64* @patience
  br label %spin
spin:
  %k = phi i64 [ %patience, %begin ], [ %k1, %pause ]
  %found = call i1 @ready(i64 %id, i64 %seen)
  br i1 %found, label %success, label %pause
pause:
  call void @llvm.x86.sse2.pause()
  %k1 = sub i64 %k, 1
  %more = icmp sgt i64 %k1, 0
  br i1 %more, label %spin, label %failure
success:
  %failed = icmp ne i64 %f, 0
  br i1 %failed, label %forgive, label %end
forgive:
  store i64 0, i64* %failures
  br label %end
failure:
  %f1 = add i64 %f, 1
  %many = icmp sgt i64 %f1, 5
  %f2 = select i1 %many, i64 5, i64 %f1
  store i64 %f2, i64* %failures
  %power = shl i64 1, %f
  %skip_next = sub i64 %power, 1
  store i64 %skip_next, i64* %skipped
  br label %sleep
sleep:
  %locked = call i32 @pthread_mutex_lock(i8* %mutex)
  %was = atomicrmw xchg i64* %asleep, i64 1 seq_cst
  br label %check
check:
  %there = call i1 @ready(i64 %id, i64 %seen)
  br i1 %there, label %wake, label %wait
wait:
  %waited = call i32 @pthread_cond_wait(i8* %condition, i8* %mutex)
  br label %check
wake:
  store atomic i64 0, i64* %asleep seq_cst, align 8
  %unlocked = call i32 @pthread_mutex_unlock(i8* %mutex)
  br label %end
end:
  ret void
}

; Wake thread ``id`` if it sleeps.
define void @rouse(i64 %id) {
  %asleep = getelementptr [SEATS x i64], [SEATS x i64]* @sleeping, i64 0, i64 %id
  %s = load atomic i64, i64* %asleep seq_cst, align 8
  %sleeps = icmp ne i64 %s, 0
  br i1 %sleeps, label %signal, label %end
signal:
  %mutex = call i8* @mutex_place()
  %condition = call i8* @condition(i64 %id)
  %locked = call i32 @pthread_mutex_lock(i8* %mutex)
  %signalled = call i32 @pthread_cond_signal(i8* %condition)
  %unlocked = call i32 @pthread_mutex_unlock(i8* %mutex)
  br label %end
end:
  ret void
}

; Write the dimensions of a call that does one number of the outer loop: 1, and those of the loops inside, as they are.
define void @copy_inner(i64* %dimensions, i64 %n_counts, i64* %counts) {
entry:
  store i64 1, i64* %counts
  br label %next
next:
  %i = phi i64 [ 1, %entry ], [ %i1, %copy ]
  %more = icmp ult i64 %i, %n_counts
  br i1 %more, label %copy, label %end
copy:
  %from = getelementptr i64, i64* %dimensions, i64 %i
  %d = load i64, i64* %from
  %to = getelementptr i64, i64* %counts, i64 %i
  store i64 %d, i64* %to
  %i1 = add i64 %i, 1
  br label %next
end:
  ret void
}

; Call the loop's function for number ``r`` of the outer loop, that many steps from the start of the arguments; a range of
; its own, if given, stands for the first of them.
define void @call_once(void (i8**, i64*, i64*, i8*)* %function, i8** %arguments, i64* %steps, i8* %data, i64 %n_arrays,
                       i64* %counts, i8** %places, i64 %r, i64* %range) {
entry:
  br label %next
next:
  %j = phi i64 [ 0, %entry ], [ %j1, %body ]
  %more = icmp ult i64 %j, %n_arrays
  br i1 %more, label %body, label %ranged
body:
  %from = getelementptr i8*, i8** %arguments, i64 %j
  %base = load i8*, i8** %from
  %step_place = getelementptr i64, i64* %steps, i64 %j
  %step = load i64, i64* %step_place
  %offset = mul i64 %step, %r
  %moved = getelementptr i8, i8* %base, i64 %offset
  %to = getelementptr i8*, i8** %places, i64 %j
  store i8* %moved, i8** %to
  %j1 = add i64 %j, 1
  br label %next
ranged:
  %given = icmp ne i64* %range, null
  br i1 %given, label %set, label %call
set:
  %bytes = bitcast i64* %range to i8*
  store i8* %bytes, i8** %places
  br label %call
call:
  call void %function(i8** %places, i64* %counts, i64* %steps, i8* %data)
  ret void
}

define i64* @part_of(i64 %id) {
  %p = getelementptr [SEATS x [16 x i64]], [SEATS x [16 x i64]]* @parts, i64 0, i64 %id, i64 0
  ret i64* %p
}

; Give each of so many threads its part of a range of @count numbers: equal parts in the order of the threads, always the same.
define void @share_out(i64 %threads) {
entry:
  %count = load i64, i64* @count
  %large = lshr i64 %count, 30
  %unit = add i64 %large, 1
  store i64 %unit, i64* @unit
  %up = add i64 %count, %large
  %units = udiv i64 %up, %unit
  store i64 %units, i64* @units
  br label %next
next:
  %id = phi i64 [ 0, %entry ], [ %id1, %next ]
  %begin = phi i64 [ 0, %entry ], [ %end, %next ]
  %id1 = add i64 %id, 1
  %scaled = mul i64 %units, %id1
  %end = udiv i64 %scaled, %threads
  %high = shl i64 %end, 32
  %both = or i64 %high, %begin
  %part = call i64* @part_of(i64 %id)
  store atomic i64 %both, i64* %part monotonic, align 8
  %more = icmp ult i64 %id1, %threads
  br i1 %more, label %next, label %end_of_threads
end_of_threads:
  ret void
}

; Take pieces of the range and carry them out, until none is left: first from the beginning of what thread ``id`` was given, then
; from the end of what the threads after it have left. A piece is a part of what is left. The last piece of a thread that has
; begun is left to it, unless it does not come for it within @patience: where it will be done soon, it would only be moved.
define void @work(i64 %id) {
entry:
  %function = load void (i8**, i64*, i64*, i8*)*, void (i8**, i64*, i64*, i8*)** @function
  %arguments = load i8**, i8*** @arguments
  %dimensions = load i64*, i64** @dimensions
  %steps = load i64*, i64** @steps
  %data = load i8*, i8** @data
  %n_dimensions = load i64, i64* @n_dimensions
  %n_arrays = load i64, i64* @n_arrays
  %threads = load atomic i64, i64* @threads monotonic, align 8
  %first = load i64, i64* @first
  %count = load i64, i64* @count
  %unit = load i64, i64* @unit
  %patience = load i64, i64* @patience
  %visits = mul i64 %threads, 2
  %units = load i64, i64* @units
  %splits = load i1, i1* @splits
  %n_counts = add i64 %n_dimensions, 1
  %counts = alloca i64, i64 %n_counts
  %places = alloca i8*, i64 %n_arrays
  %range = alloca i64, i64 2
  %stop_place = getelementptr i64, i64* %range, i64 1
  call void @copy_inner(i64* %dimensions, i64 %n_counts, i64* %counts)
  br label %visit
visit:
  %others = phi i64 [ 0, %entry ], [ %others1, %leave ]
  %is_first_round = icmp ult i64 %others, %threads
  %seat_first = add i64 %id, %others
  %seat_again = sub i64 %seat_first, %threads
  %seat = select i1 %is_first_round, i64 %seat_first, i64 %seat_again
  %beyond = icmp uge i64 %seat, %threads
  %wrapped = sub i64 %seat, %threads
  %owner = select i1 %beyond, i64 %wrapped, i64 %seat
  %is_own = icmp eq i64 %others, 0
  %part = call i64* @part_of(i64 %owner)
  %start = load atomic i64, i64* %part monotonic, align 8
  %scaled = mul i64 %units, %owner
  %untouched = udiv i64 %scaled, %threads
  br label %take
take:
  %here = phi i64 [ %start, %visit ], [ %again, %retry ], [ %fresh, %done ], [ %later, %look ]
  %waited = phi i64 [ 0, %visit ], [ %waited, %retry ], [ 0, %done ], [ %waited1, %look ]
  %begin = and i64 %here, 4294967295
  %end = lshr i64 %here, 32
  %left = sub i64 %end, %begin
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %consider, label %leave
consider:
  %is_last_one = icmp eq i64 %left, 1
  %has_begun = icmp ne i64 %begin, %untouched
  %coming = and i1 %is_last_one, %has_begun
  %impatient = icmp sge i64 %waited, %patience
  %take_own = or i1 %is_own, %impatient
  %not_coming = xor i1 %coming, true
  %may = or i1 %take_own, %not_coming
  br i1 %may, label %try, label %hold
hold:
  br i1 %is_first_round, label %leave, label %look
look:
  call void @llvm.x86.sse2.pause()
  %waited1 = add i64 %waited, 1
  %later = load atomic i64, i64* %part monotonic, align 8
  br label %take
try:
  %quarter = lshr i64 %left, 2
  %small = icmp eq i64 %quarter, 0
  %size = select i1 %small, i64 1, i64 %quarter
  %high_size = shl i64 %size, 32
  %from_front = add i64 %here, %size
  %from_back = sub i64 %here, %high_size
  %rest = select i1 %is_own, i64 %from_front, i64 %from_back
  %pair = cmpxchg i64* %part, i64 %here, i64 %rest seq_cst seq_cst
  %won = extractvalue { i64, i1 } %pair, 1
  br i1 %won, label %piece, label %retry
retry:
  %again = extractvalue { i64, i1 } %pair, 0
  br label %take
piece:
  %before_end = sub i64 %end, %size
  %low_unit = select i1 %is_own, i64 %begin, i64 %before_end
  %high_unit = add i64 %low_unit, %size
  %low = mul i64 %low_unit, %unit
  %up = mul i64 %high_unit, %unit
  %is_last = icmp ugt i64 %up, %count
  %high = select i1 %is_last, i64 %count, i64 %up
  br i1 %splits, label %split, label %whole
split:
  %first_number = add i64 %first, %low
  %behind = add i64 %first, %high
  %last_number = sub i64 %behind, 1
  store i64 %first_number, i64* %range
  store i64 %last_number, i64* %stop_place
  call void @call_once(void (i8**, i64*, i64*, i8*)* %function, i8** %arguments, i64* %steps, i8* %data, i64 %n_arrays,
                       i64* %counts, i8** %places, i64 0, i64* %range)
  br label %done
whole:
  %r = phi i64 [ %low, %piece ], [ %r1, %whole ]
  call void @call_once(void (i8**, i64*, i64*, i8*)* %function, i8** %arguments, i64* %steps, i8* %data, i64 %n_arrays,
                       i64* %counts, i8** %places, i64 %r, i64* null)
  %r1 = add i64 %r, 1
  %more_r = icmp slt i64 %r1, %high
  br i1 %more_r, label %whole, label %done
done:
  %fresh = load atomic i64, i64* %part monotonic, align 8
  br label %take
leave:
  %others1 = add i64 %others, 1
  %more_seats = icmp ult i64 %others1, %visits
  br i1 %more_seats, label %visit, label %out
out:
  ret void
}

; What a worker does: join the region that `ready` has seen, unless that has changed in the meantime, again and again.
define i8* @worker(i8* %number) {
entry:
  %key = load KEY, KEY* @key
  %kept = call i32 @pthread_setspecific(KEY %key, i8* %number)
  %id = ptrtoint i8* %number to i64
  %seen = alloca i64
  store i64 0, i64* %seen
  br label %loop
loop:
  %last = load i64, i64* %seen
  call void @await(i64 %id, i64 %last)
  %s = load atomic i64, i64* @state seq_cst, align 8
  %there = call i1 @ready(i64 %id, i64 %last)
  br i1 %there, label %join, label %loop
join:
  %s1 = add i64 %s, 1
  %pair = cmpxchg i64* @state, i64 %s, i64 %s1 seq_cst seq_cst
  %joined = extractvalue { i64, i1 } %pair, 1
  br i1 %joined, label %inside, label %loop
inside:
  %number_now = lshr i64 %s, 32
  store i64 %number_now, i64* %seen
  %n = load atomic i64, i64* @threads monotonic, align 8
  %tell = load void (i64)*, void (i64)** @set_num_threads
  call void %tell(i64 %n)
  call void @work(i64 %id)
  %before = atomicrmw sub i64* @state, i64 1 seq_cst
  %rest = and i64 %before, 2147549183
  %last_out = icmp eq i64 %rest, 1
  br i1 %last_out, label %tell_caller, label %loop
tell_caller:
  call void @rouse(i64 0)
  br label %loop
}

; What compiled code calls: ``function`` for every number of the outer loop, whose length is the first of the dimensions.
define void @parallel_for(i8* %function, i8* %arguments, i8* %dimensions, i8* %steps, i8* %data,
                          i64 %n_dimensions, i64 %n_arrays, i64 %asked) {
entry:
  %f = bitcast i8* %function to void (i8**, i64*, i64*, i8*)*
  %a = bitcast i8* %arguments to i8**
  %d = bitcast i8* %dimensions to i64*
  %st = bitcast i8* %steps to i64*
  %size = load i64, i64* %d
  %one_thread = icmp slt i64 %asked, 2
  %one_number = icmp slt i64 %size, 2
  %alone = or i1 %one_thread, %one_number
  br i1 %alone, label %alone_here, label %claim
claim:
  %claimed = cmpxchg i64* @taken, i64 0, i64 1 seq_cst seq_cst
  %mine = extractvalue { i64, i1 } %claimed, 1
  br i1 %mine, label %team, label %alone_here
team:
  %known = load i64, i64* @workers
  %unknown = icmp slt i64 %known, 0
  br i1 %unknown, label %begin, label %counted
begin:
  call void @start()
  br label %counted
counted:
  %available = load i64, i64* @workers
  %all = add i64 %available, 1
  %fewer = icmp slt i64 %all, %asked
  %threads = select i1 %fewer, i64 %all, i64 %asked
  br label %inspect

alone_here:
  %n_counts = add i64 %n_dimensions, 1
  %counts = alloca i64, i64 %n_counts
  %places = alloca i8*, i64 %n_arrays
  call void @copy_inner(i64* %d, i64 %n_counts, i64* %counts)
  br label %one
one:
  %r = phi i64 [ 0, %alone_here ], [ %r1, %once ]
  %more_r = icmp slt i64 %r, %size
  br i1 %more_r, label %once, label %end
once:
  call void @call_once(void (i8**, i64*, i64*, i8*)* %f, i8** %a, i64* %st, i8* %data, i64 %n_arrays,
                       i64* %counts, i8** %places, i64 %r, i64* null)
  %r1 = add i64 %r, 1
  br label %one

; A loop without reductions has one argument that moves, the ranges (start, last) of its parts, which follow each other:
; their union can be split anew. No universal function is like that, since what it writes moves.
inspect:
  %step0 = load i64, i64* %st
  %two_words = icmp eq i64 %step0, 16
  br label %other
other:
  %j = phi i64 [ 1, %inspect ], [ %j1, %look ]
  %same = phi i1 [ %two_words, %inspect ], [ %same1, %look ]
  %more_j = icmp ult i64 %j, %n_arrays
  br i1 %more_j, label %look, label %looked
look:
  %step_place = getelementptr i64, i64* %st, i64 %j
  %step = load i64, i64* %step_place
  %still = icmp eq i64 %step, 0
  %same1 = and i1 %same, %still
  %j1 = add i64 %j, 1
  br label %other
looked:
  store i1 %same, i1* @splits
  br i1 %same, label %unite, label %whole
whole:
  store i64 0, i64* @first
  store i64 %size, i64* @count
  br label %open
unite:
  %ranges_bytes = load i8*, i8** %a
  %ranges = bitcast i8* %ranges_bytes to i64*
  br label %union
union:
  %q = phi i64 [ 0, %unite ], [ %q1, %union_next ]
  %low = phi i64 [ 9223372036854775807, %unite ], [ %low1, %union_next ]
  %total = phi i64 [ 0, %unite ], [ %total1, %union_next ]
  %more_q = icmp slt i64 %q, %size
  br i1 %more_q, label %part, label %united
part:
  %q2 = mul i64 %q, 2
  %p_start = getelementptr i64, i64* %ranges, i64 %q2
  %start = load i64, i64* %p_start
  %q3 = add i64 %q2, 1
  %p_last = getelementptr i64, i64* %ranges, i64 %q3
  %last = load i64, i64* %p_last
  %is_some = icmp sle i64 %start, %last
  br i1 %is_some, label %some, label %none
some:
  %is_lower = icmp slt i64 %start, %low
  %lower = select i1 %is_lower, i64 %start, i64 %low
  %length0 = sub i64 %last, %start
  %length = add i64 %length0, 1
  %longer = add i64 %total, %length
  br label %union_next
none:
  br label %union_next
union_next:
  %low1 = phi i64 [ %lower, %some ], [ %low, %none ]
  %total1 = phi i64 [ %longer, %some ], [ %total, %none ]
  %q1 = add i64 %q, 1
  br label %union
united:
  store i64 %low, i64* @first
  store i64 %total, i64* @count
  br label %open

open:
  store void (i8**, i64*, i64*, i8*)* %f, void (i8**, i64*, i64*, i8*)** @function
  store i8** %a, i8*** @arguments
  store i64* %d, i64** @dimensions
  store i64* %st, i64** @steps
  store i8* %data, i8** @data
  store i64 %n_dimensions, i64* @n_dimensions
  store i64 %n_arrays, i64* @n_arrays
  store atomic i64 %threads, i64* @threads monotonic, align 8
  call void @share_out(i64 %threads)
  %old = load atomic i64, i64* @state monotonic, align 8
  %number = lshr i64 %old, 32
  %number1 = add i64 %number, 1
  %shifted = shl i64 %number1, 32
  %opened = or i64 %shifted, 2147483648
  store atomic i64 %opened, i64* @state seq_cst, align 8
  br label %call_workers
call_workers:
  %w = phi i64 [ 1, %open ], [ %w1, %call_workers ]
  call void @rouse(i64 %w)
  %w1 = add i64 %w, 1
  %more_w = icmp slt i64 %w1, %threads
  br i1 %more_w, label %call_workers, label %take_part
take_part:
  call void @work(i64 0)
  %closed = atomicrmw and i64* @state, i64 -2147483649 seq_cst
  call void @await(i64 0, i64 0)
  store atomic i64 0, i64* @taken seq_cst, align 8
  br label %end
end:
  ret void
}

define i32 @get_thread_id() {
  %key = load KEY, KEY* @key
  %number = call i8* @pthread_getspecific(KEY %key)
  %id = ptrtoint i8* %number to i64
  %short = trunc i64 %id to i32
  ret i32 %short
}

; Forget all threads, so that the next region starts them: in a process that has just begun, or in the child of a fork.
define i64 @reset(i64 %_) {
entry:
  store i64 0, i64* @state
  store i64 0, i64* @taken
  store i64 -1, i64* @workers
  %mutex = call i8* @mutex_place()
  %m = call i32 @pthread_mutex_init(i8* %mutex, i8* null)
  br label %next
next:
  %id = phi i64 [ 0, %entry ], [ %id1, %next ]
  %condition = call i8* @condition(i64 %id)
  %c = call i32 @pthread_cond_init(i8* %condition, i8* null)
  %asleep = getelementptr [SEATS x i64], [SEATS x i64]* @sleeping, i64 0, i64 %id
  store i64 0, i64* %asleep
  %id1 = add i64 %id, 1
  %more = icmp ult i64 %id1, SEATS
  br i1 %more, label %next, label %end
end:
  ret i64 0
}

define i64 @make_key(i64 %_) {
  %r = call i32 @pthread_key_create(KEY* @key, i8* null)
  %wide = sext i32 %r to i64
  ret i64 %wide
}

; Start the workers, or as many as the system gives, with signals @blocked: those are for Python.
define void @start() {
entry:
  %place = alloca i64
  %space = alloca [128 x i8], align 64
  %before = getelementptr [128 x i8], [128 x i8]* %space, i64 0, i64 0
  %blocked = getelementptr [128 x i8], [128 x i8]* @blocked, i64 0, i64 0
  %b = call i32 @pthread_sigmask(i32 SIG_BLOCK, i8* %blocked, i8* %before)
  br label %next
next:
  %id = phi i64 [ 1, %entry ], [ %id1, %created ]
  %more = icmp ult i64 %id, SEATS
  br i1 %more, label %create, label %end
create:
  %number = inttoptr i64 %id to i8*
  %r = call i32 @pthread_create(i64* %place, i8* null, i8* (i8*)* @worker, i8* %number)
  %made = icmp eq i32 %r, 0
  br i1 %made, label %created, label %end
created:
  %id1 = add i64 %id, 1
  br label %next
end:
  %a = call i32 @pthread_sigmask(i32 SIG_SETMASK, i8* %before, i8* null)
  %workers = sub i64 %id, 1
  store i64 %workers, i64* @workers
  ret void
}
