#include <algorithm>
#include <chrono>
#include <utility>

#include "photonlink/qsc/driver.hpp"

namespace photonlink::qsc {

namespace {

using Lock = std::unique_lock<std::mutex>;

std::chrono::nanoseconds until(u64 deadline_ns) {
    const u64 now_ns = platform::clock_ns();
    return std::chrono::nanoseconds(deadline_ns > now_ns ? deadline_ns - now_ns : 0);
}

void throw_failure(const DriverAnswer& answer) {
    switch (answer.failure) {
        case DriverAnswer::Failure::None:
            return;
        case DriverAnswer::Failure::Program:
            throw optics::ProgramError(answer.error);
        case DriverAnswer::Failure::Datapoint:
            throw std::runtime_error(answer.error);
        case DriverAnswer::Failure::Fatal:
            throw ProcessorFatal(answer.error);
    }
}

}  // namespace

std::optional<Order> DriverDesk::take() {
    Lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || pending_; });
    if (closed_) return std::nullopt;
    return std::exchange(pending_, std::nullopt);
}

void DriverDesk::answer(u64 number, DriverAnswer answer) {
    const Lock lock(mutex_);
    if (!wanted(number)) return;
    answer_ = std::move(answer);
    changed_.notify_all();
}

bool DriverDesk::wait_while_wanted(u64 number, double seconds) {
    Lock lock(mutex_);
    const std::chrono::duration<double> most(std::clamp(seconds, 0.0, 3600.0));
    return !changed_.wait_for(lock, most, [&] { return !wanted(number); });
}

DriverAnswer DriverDesk::ask(Order order, u64 deadline_ns) {
    Lock lock(mutex_);
    if (closed_) throw ProcessorFatal("processor '" + info_.name + "' was closed");
    order.number = asked_ = ++last_;
    pending_ = std::move(order);
    answer_.reset();
    interrupted_ = false;
    changed_.notify_all();
    changed_.wait_for(lock, until(deadline_ns), [this] { return answer_ || interrupted_ || closed_; });
    asked_ = 0;
    pending_.reset();
    changed_.notify_all();  // whoever works on it sees that it is wanted no more
    if (answer_) {
        const DriverAnswer answer = std::move(*answer_);
        lock.unlock();
        throw_failure(answer);
        return answer;
    }
    if (closed_) throw ProcessorFatal("processor '" + info_.name + "' was closed");
    if (interrupted_) throw std::runtime_error("processor '" + info_.name + "' was interrupted: the session ends");
    throw ProcessorFatal("processor '" + info_.name + "' gave no answer within its limit of " +
                         std::to_string(info_.timeout_s) + " s");
}

void DriverDesk::interrupt() {
    const Lock lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
}

void DriverDesk::close() {
    const Lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

}  // namespace photonlink::qsc
